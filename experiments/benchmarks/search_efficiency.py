"""How many evaluations a search takes, on tables in which all plans are known: ours beside what else there is.

Every evaluation is charged, those that a method begins with too; the second time a model is proposed is free. What was
found is judged by the share of the area between the front and a reference point: the float model's latency, and a drop
of two points, or that of the model in int8 by the default recipe, where that is less. The front is that of all plans by
what is known of them from all recordings together; figures "as recorded" take each by its own. A search that has not
got there after 400 evaluations, or after 1,000 proposals (400 of TPE, which takes long to propose) that were mostly
repetitions, is taken not to get there: null. With `--dearer`, scoring a sample takes so many times as long as it did,
as if there were so many times the samples: the search then scores fewer of them, and seconds alone are comparable.

    python experiments/benchmarks/search_efficiency.py [CASE ...] [--seeds 20] [--methods front tpe] [--dearer 5]
        [--quick]
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from _cases import parser
from _courses import AT, DROPS, OURS, TO, Course, allowed, course, judged, table_of, tables_asked
from _lines import Lines
from _methods import METHODS
from joblib import Parallel, delayed

# A search that has not found 99% by then is given up.
LIMIT = 400
# By how much fewer evaluations than these peers take.
PEER_GOALS = {"tpe": ">= 3", "random": ">= 10"}


def compare(name: str, lines: Lines, *, methods: Sequence[str], seeds: int, dearer: float, quick: bool) -> None:
    """Prints the figures of one table."""
    limit = 40 if quick else min(LIMIT, len(table_of(name).space))
    jobs = [(method, seed) for method in methods for seed in range(seeds)]
    found = Parallel(n_jobs=2)(delayed(course)(name, method, seed, limit, dearer=dearer) for method, seed in jobs)
    courses: dict[str, list[Course]] = {method: [] for method in methods}
    for (method, _), one in zip(jobs, found, strict=True):
        courses[method].append(one)
    truth = judged(name)
    lines.figure(
        name,
        "plans",
        len(table_of(name).space),
        reference=truth.reference.tolist(),
        noise=[truth.drop_noise, truth.ratio_noise],
    )
    for evaluations in AT:
        medians = {method: float(np.median([c.at(evaluations) for c in runs])) for method, runs in courses.items()}
        _figure(lines, name, f"hypervolume_at_{evaluations}", medians)
    for share in TO:
        percent = round(100 * share)
        needed = _needed(courses, share)
        waited = {
            method: _median([None if (n := c.to(share)) is None else float(c.seconds[n - 1]) for c in runs])
            for method, runs in courses.items()
        }
        most = allowed(name) * (1 if share == min(TO) else 2)
        _figure(lines, name, f"evaluations_to_{percent}", needed, goal=None if quick or dearer > 1 else f"<= {most}")
        _figure(lines, name, f"seconds_to_{percent}", waited)
    lucky = {method: _median([c.to_as_recorded(min(TO)) for c in runs]) for method, runs in courses.items()}
    _figure(lines, name, f"evaluations_to_{round(100 * min(TO))}_as_recorded", lucky)
    least = {method: value or math.inf for method, value in _needed(courses, min(TO)).items()}
    for peer in [peer for peer in PEER_GOALS if peer in methods]:
        made = float(np.median([len(c.shares) for c in courses[peer]]))
        lines.figure(
            name,
            f"evaluations_beside_{peer}",
            least[OURS],
            least[peer],
            goal=None if quick else PEER_GOALS[peer],
            peer_evaluations=made,
        )
    for place, drop in enumerate(DROPS):
        medians = {method: float(np.median([c.regrets[place] for c in runs])) for method, runs in courses.items()}
        _figure(lines, name, f"regret_at_{100 * drop:g}_points", medians, after=allowed(name))


def _needed(courses: Mapping[str, Sequence[Course]], share: float) -> dict[str, float | None]:
    """Evaluations of each method until this share, medians."""
    return {method: _median([c.to(share) for c in runs]) for method, runs in courses.items()}


def _median(values: Sequence[float | None]) -> float | None:
    """The median, those that never came being the largest; None where that is one of them."""
    ordered = sorted(math.inf if value is None else value for value in values)
    median = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    return None if math.isinf(median[-1]) else float(np.mean(median))


def _figure(
    lines: Lines, name: str, figure: str, values: dict[str, float | None], goal: str | None = None, **more: object
) -> None:
    """One line of all methods; what was never reached is null, and misses its goal."""
    own = values[OURS]
    others = {method: None if v is None else float(f"{v:.4g}") for method, v in values.items() if method != OURS}
    lines.figure(name, figure, math.inf if own is None else own, goal=goal, **others, **more)


def main() -> None:
    """Runs every case."""
    command = parser(__doc__)
    command.add_argument("--seeds", type=int, default=20, help="searches by each method")
    command.add_argument(
        "--methods", nargs="+", choices=METHODS, default=[*METHODS], help=f"all by default; {OURS} is ours"
    )
    command.add_argument("--dearer", type=float, default=1.0, help="factor on the seconds to score a sample")
    options = command.parse_args()
    if options.dearer < 1:
        command.error(f"--dearer is {options.dearer}: it must be 1 or more.")
    if OURS not in options.methods:
        command.error(f"--methods is {options.methods}: it must have {OURS}, ours, which the others stand beside.")
    lines = Lines("search_efficiency")
    for name in tables_asked(options.cases):
        compare(
            name,
            lines,
            methods=options.methods,
            seeds=2 if options.quick else options.seeds,
            dearer=options.dearer,
            quick=options.quick,
        )
    lines.finish()


if __name__ == "__main__":
    main()
