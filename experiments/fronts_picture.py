"""Draws the fronts that the benchmark `search_widths` measured: precisions alone, widths too, and training too.

All models are scored on held-out data and timed in one session.

.venv/bin/python experiments/benchmarks/search_widths.py cifar10_repvgg > runs/widths.jsonl
.venv/bin/python experiments/fronts_picture.py runs/widths.jsonl experiments/images/fronts.png
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# What is drawn of a line of the benchmark: key of the models in it, what they may use, and how their front is drawn.
MODELS = {
    "area_widths": (("models_alone", "precisions alone", ":"), ("models", "precisions and widths", "--")),
    "area_tuned": (("models", "precisions, widths and training", "-"),),
}


def steps(points: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    """Speed-up and drop of the models that no other one beats, the most accurate first, from the float model on."""
    found = [(1.0, 0.0)]
    for drop, ratio in sorted(points):
        if 1 / ratio > found[-1][0]:
            found.append((1 / ratio, drop))
    return found


def draw(axes: Axes, lines: Sequence[dict[str, object]], case: str) -> None:
    """Draws the fronts of one case, as far as there are lines of it."""
    for line in lines:
        if line["case"] != case:
            continue
        for key, name, style in MODELS.get(str(line["figure"]), ()):
            points: Sequence[Sequence[float]] = line[key]  # type: ignore[assignment]  # read from JSON
            axes.step(*zip(*steps(points), strict=True), style, where="pre", marker="o", label=name)
    axes.set(xlabel="times as fast as the float model", ylabel="accuracy drop on held-out data", title=case)
    axes.invert_yaxis()
    axes.grid(alpha=0.3)
    axes.legend()


def main() -> None:
    """Draws what the command line names."""
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("lines", type=Path, help="what search_widths printed")
    command.add_argument("picture", type=Path, help="the PNG to write")
    options = command.parse_args()
    lines = [json.loads(line) for line in options.lines.read_text("utf-8").splitlines() if line.startswith("{")]
    cases = list(dict.fromkeys(line["case"] for line in lines if line.get("figure") in MODELS))
    figure = Figure(figsize=(8 * len(cases), 5), layout="constrained")
    for place, case in enumerate(cases, start=1):
        draw(figure.add_subplot(1, len(cases), place), lines, case)
    figure.savefig(options.picture, dpi=130)


if __name__ == "__main__":
    main()
