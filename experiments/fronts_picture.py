"""Draws the fronts of one run by what they use: precisions alone, widths too, and training too.

After a closing session, only the models that it measured together are compared: speeds of trials are of other moments.

.venv/bin/python experiments/fronts_picture.py runs/widths experiments/images/fronts.png
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from autoq import SearchResult
from autoq.searching.records import TrialRecord, TrialState, evaluation_of

# What each front may use, from the fewest means to the most.
MEANS: Mapping[str, Callable[[TrialRecord], bool]] = {
    "precisions alone": lambda record: not record.plan.prunes and record.tuned is None,
    "precisions and widths": lambda record: record.tuned is None,
    "precisions, widths and training": lambda _: True,
}


def steps(records: list[TrialRecord]) -> list[tuple[float, float]]:
    """Speed-up and drop of the models that no other one beats by its point estimates, the most accurate first."""
    points = [(evaluation_of(r).accuracy.drop.value, evaluation_of(r).latency.speedup.value) for r in records]
    found: list[tuple[float, float]] = []
    for drop, speedup in sorted(points, key=lambda point: (point[0], -point[1])):
        if not found or speedup > found[-1][0]:
            found.append((speedup, drop))
    return found


def main() -> None:
    """Draws what the command line names."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("run", type=Path, help="folder of a search over widths that trained models")
    command.add_argument("picture", type=Path, help="the PNG to write")
    command.add_argument("--most", type=float, default=None, help="largest drop that is shown")
    options = command.parse_args()
    result = SearchResult.load(options.run)
    known = [record for record in result.records if record.state is TrialState.COMPLETE]
    measured = [record for record in known if record.remeasured or not result.table.is_closed]
    axes = (figure := Figure(figsize=(8, 5), layout="constrained")).add_subplot()
    for (name, uses), style in zip(MEANS.items(), (":", "--", "-"), strict=True):
        if not (front := steps([record for record in measured if uses(record)])):
            continue
        axes.step(*zip(*front, strict=True), style, where="pre", marker="o", label=name)
    if (limit := result.info.max_drop) is not None:
        axes.axhline(limit, color="grey", linewidth=1)
        axes.annotate("limit of the drop", (1, limit), xytext=(0, 3), textcoords="offset points", color="grey")
    if options.most is not None:
        axes.set_ylim(top=options.most)
    axes.set(xlabel="times as fast as the float model", ylabel="accuracy drop", title=result.info.model_name)
    axes.invert_yaxis()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(options.picture, dpi=130)


if __name__ == "__main__":
    main()
