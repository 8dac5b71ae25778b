"""What a search finds that may cut widths, beside one of precisions alone, after equal time.

Each search has a folder of its own and sees calibration and validation data. The models on both fronts are then scored
on held-out data and timed, all in one session. Areas lie below a drop of two points and the float model's latency; they
are means over draws, in which one half of the samples decides which model stands where, and its drop is that of the
other half. Speeds are those of the fastest models within a drop, over the float model as the device runs it by default.

    python experiments/benchmarks/search_widths.py [CASE ...] [--seconds 600] [--quick]
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from _cases import Case, cases, parser
from _held_out import MOST_MODELS, Drawn, Point, judged
from _lines import Lines, short

import autoq

CASES = ("cifar10_repvgg", "cifar10_resnet20", "cifar10_mbv3", "effnet_lite0_cifar10")
SMALLEST = CASES[1:2]
# The space of each side. A smoke test has few trials.
SPACES = {"widths": "cnn_widths", "precisions": "cnn"}
_QUICK_TRIALS = 6
MAX_DROP = 0.02
_DROPS = {"one_point": 0.01, "two_points": 0.02}
# Two searches of equal time differ by chance.
_AS_LARGE = ">= 0.97"


def searched(case: Case, space: str, folder: Path, seconds: float, *, quick: bool) -> autoq.SearchResult:
    """Runs one search.

    Args:
        case: The case.
        space: Name of its space.
        folder: For what it writes.
        seconds: Its time.
        quick: Few trials, whatever they take.
    """
    given = {name: case.given[name] for name in ("calibration", "validation", "metric", "sample", "model_type")}
    budget = {"n_trials": _QUICK_TRIALS} if quick else {"timeout_s": seconds}
    return autoq.search(
        case.path, **given, **budget, space=space, max_drop=MAX_DROP, out=folder, tracking_uri="off", progress=False
    )


def fastest(points: Sequence[Point], drop: float) -> float:
    """Speed-up of the fastest model within a drop on held-out data; 1 is that of the float model."""
    return max((1 / point.ratio.value for point in points if point.drop <= drop), default=1.0)


def compare(case: Case, lines: Lines, seconds: float, *, quick: bool) -> None:
    """Prints the figures of one case."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        trials = {}
        for side, space in SPACES.items():
            result = searched(case, space, Path(folder) / side, seconds, quick=quick)
            trials[side] = len(result.records)
            standing = [record for record in result.front.staircase if not record.is_baseline][:MOST_MODELS]
            found += [(side, result.candidate(record.number).model) for record in standing]
        points = judged(case, found, quick=quick)
    drawn = Drawn.of(points)
    own, other = (
        drawn.areas([place for place, point in enumerate(points) if point.side == side], MAX_DROP) for side in SPACES
    )
    low, high = np.quantile(own - other, [0.025, 0.975]) / max(float(other.mean()), 1e-12)
    models = {side: [[short(p.drop), short(p.ratio.value)] for p in points if p.side == side] for side in SPACES}
    share = float(own.mean() / max(float(other.mean()), 1e-12))
    lines.figure(
        case.name,
        "area",
        float(own.mean()),
        float(other.mean()),
        goal=None if quick else _AS_LARGE,
        judged=share,
        share=short(share),
        interval=[short(1 + low), short(1 + high)],
        trials=trials,
        models=models,
    )
    for name, drop in _DROPS.items():
        ours, peer = (fastest([point for point in points if point.side == side], drop) for side in SPACES)
        lines.figure(case.name, f"speed_up_within_{name}", ours, peer, faster=short(ours / peer))


def main() -> None:
    """Runs every case."""
    command = parser(__doc__)
    command.add_argument("--seconds", type=float, default=600.0, help="of each search")
    options = command.parse_args()
    lines = Lines("search_widths")
    for case in cases(options.cases, SMALLEST if options.quick else CASES):
        compare(case, lines, options.seconds, quick=options.quick)
    lines.finish()


if __name__ == "__main__":
    main()
