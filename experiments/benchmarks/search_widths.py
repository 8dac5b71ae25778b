"""What a search finds that may cut widths, and that trains what it cut, beside one of precisions alone.

Each search has a folder of its own and sees calibration and validation data. The search that trains has as many seconds
for its trials as the others, and those of the training besides. The models on both fronts are then scored
on held-out data and timed, all in one session. Areas lie below a drop of two points and the float model's latency; they
are means over draws, in which one half of the samples decides which model stands where, and its drop is that of the
other half. Speeds are those of the fastest models within a drop, over the float model as the device runs it by default.

    python experiments/benchmarks/search_widths.py [CASE ...] [--seconds 600] [--tuning 300] [--quick]
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _cases import Case, cases, parser
from _held_out import MOST_MODELS, Drawn, Point, judged
from _lines import Lines, short

import autoq

CASES = ("cifar10_repvgg", "cifar10_resnet20", "cifar10_mbv3", "effnet_lite0_cifar10")
SMALLEST = CASES[1:2]
# The space of each side. A smoke test has few trials.
SPACES = {"precisions": "cnn", "widths": "cnn_widths", "tuned": "cnn_widths"}
_ALONE = "precisions"
_QUICK_TRIALS, _QUICK_STEPS = 6, 20
MAX_DROP = 0.02
_DROPS = {"one_point": 0.01, "two_points": 0.02}
# Speed-ups over the float model within two points, after a training.
_GOALS = {"cifar10_repvgg": 3.5, "cifar10_resnet20": 1.8, "cifar10_mbv3": 1.4, "effnet_lite0_cifar10": 1.8}
# Two searches of equal time differ by chance.
_AS_LARGE = ">= 0.97"


def searched(
    case: Case, side: str, folder: Path, seconds: float, tuning_s: float, *, quick: bool
) -> autoq.SearchResult:
    """Runs one search.

    Args:
        case: The case.
        side: Its side.
        folder: For what it writes.
        seconds: Its time, without that of a training.
        tuning_s: Seconds of the training.
        quick: Few trials, whatever they take.
    """
    given = {name: case.given[name] for name in ("calibration", "validation", "metric", "sample", "model_type")}
    budget: dict[str, Any] = {"n_trials": _QUICK_TRIALS} if quick else {"timeout_s": seconds}
    if side == "tuned":
        length = {"steps": _QUICK_STEPS} if quick else {"timeout_s": tuning_s}
        budget = {"finetune": length} | (budget if quick else {"timeout_s": seconds + tuning_s})
    return autoq.search(
        case.path,
        **given,
        **budget,
        space=SPACES[side],
        max_drop=MAX_DROP,
        out=folder,
        tracking_uri="off",
        progress=False,
    )


def fastest(points: Sequence[Point], drop: float) -> float:
    """Speed-up of the fastest model within a drop on held-out data; 1 is that of the float model."""
    return max((1 / point.ratio.value for point in points if point.drop <= drop), default=1.0)


def compare(case: Case, lines: Lines, seconds: float, tuning_s: float, *, quick: bool) -> None:
    """Prints the figures of one case."""
    found, sides = [], [side for side in SPACES if quick or tuning_s or side != "tuned"]
    with tempfile.TemporaryDirectory() as folder:
        trials = {}
        for side in sides:
            result = searched(case, side, Path(folder) / side, seconds, tuning_s, quick=quick)
            trials[side] = len(result.records)
            standing = [record for record in result.front.staircase if not record.is_baseline]
            # Spread over the front, with both ends: the cheapest ones alone would leave its accurate half out.
            places = np.linspace(0, len(standing) - 1, min(len(standing), MOST_MODELS)).round().astype(int)
            found += [(side, result.candidate(standing[place].number).model) for place in places]
        points = judged(case, found, quick=quick)
    drawn, of_side = Drawn.of(points), {side: [p for p in points if p.side == side] for side in sides}
    areas = {
        side: drawn.areas([place for place, point in enumerate(points) if point.side == side], MAX_DROP)
        for side in sides
    }
    other, alone = areas[_ALONE], max(float(areas[_ALONE].mean()), 1e-12)
    for side in sides[1:]:
        low, high = np.quantile(areas[side] - other, [0.025, 0.975]) / alone
        share = float(areas[side].mean() / alone)
        lines.figure(
            case.name,
            f"area_{side}",
            float(areas[side].mean()),
            float(other.mean()),
            goal=None if quick else _AS_LARGE,
            judged=share,
            share=short(share),
            interval=[short(1 + low), short(1 + high)],
            trials=trials[side],
            models=[[short(p.drop), short(p.ratio.value)] for p in of_side[side]],
            models_alone=[[short(p.drop), short(p.ratio.value)] for p in of_side[_ALONE]],
        )
        for name, drop in _DROPS.items():
            ours, peer = (fastest(of_side[one], drop) for one in (side, _ALONE))
            goal = _GOALS[case.name] if (side, name) == ("tuned", "two_points") and not quick else None
            lines.figure(
                case.name,
                f"speed_up_{side}_within_{name}",
                ours,
                peer,
                goal=None if goal is None else f">= {goal}",
                judged=ours,
                faster=short(ours / peer),
            )


def main() -> None:
    """Runs every case."""
    command = parser(__doc__)
    command.add_argument("--seconds", type=float, default=600.0, help="of each search")
    command.add_argument("--tuning", type=float, default=300.0, help="seconds of the training; 0 trains nothing")
    options = command.parse_args()
    lines = Lines("search_widths")
    for case in cases(options.cases, SMALLEST if options.quick else CASES):
        compare(case, lines, options.seconds, options.tuning, quick=options.quick)
    lines.finish()


if __name__ == "__main__":
    main()
