"""`autoq.search` on the whole space beside what users do today, in equal time, judged on data that neither has seen.

Peers: Optuna over `nncf.quantize` with the settings that people vary (preset, subset size, bias correction, and which
weighted layers to ignore), each scored on all validation data and timed alone, in the same time; `nncf.quantize` with
both presets; `nncf.quantize_with_accuracy_control` with the budget of the experiment, given up after the time of
the search. What is on each one's front is then scored on held-out data and timed, all models together. A peer's model
counts as matched where one of ours is at least as accurate and as fast, or the intervals do not tell them apart; one
that is shown to break the budget of the experiment is no model that a user could take, and is counted apart.

    python experiments/benchmarks/search_quality.py [CASE ...] [--seconds 600] [--quick]
"""

from __future__ import annotations

import math
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import openvino as ov
from _cases import EXPERIMENTS, Case, cases, parser
from _first_front import FirstFront, goal
from _held_out import MOST_MODELS, Point, hypervolume, judged
from _lines import Lines
from _peer import quantize as nncf_quantize
from _peer import quantize_with_accuracy_control as nncf_control
from _plain_loop import plain_loop

import autoq
from autoq.evaluation.scoring import paired_drop

# Folders of our searches, for whoever wants to look at them.
RUNS = EXPERIMENTS.parent / "runs" / "search_quality"
# Times the seconds of the search that accuracy control may take.
_PATIENCE = 1.0


def compare(case: Case, lines: Lines, *, seconds: float, quick: bool) -> None:
    """Prints the figures of one case."""
    first = FirstFront()
    folder = RUNS / case.name
    shutil.rmtree(folder, ignore_errors=True)  # it would go on with it
    result = autoq.search(
        case.path,
        calibration=case.given["calibration"],
        validation=case.given["validation"],
        metric=case.given["metric"],
        max_drop=case.given["max_drop"],
        space=case.given["space"],
        sample=case.given["sample"],
        model_type=case.model_type,
        holdout=case.given["holdout"],
        timeout_s=seconds,
        tracking_uri="off",
        progress=False,
        observers=[first],
        out=folder,
    )
    float_ms = result.info.float_latency.baseline_p50_ms
    lines.figure(
        case.name, "first_front_s", first.seconds, goal=None if quick else goal(float_ms), float_ms=round(float_ms, 3)
    )
    found = [("autoq", result.build(record)) for record in result.front.staircase[:MOST_MODELS]]
    subset = 20 if quick else 300
    samples = case.calibration(subset)
    for preset in ("performance", "mixed"):
        model = nncf_quantize(
            case.model.clone(), samples, subset_size=subset, model_type=case.model_type, preset=preset
        )
        found.append(("presets", model))
    *_, trial = plain_loop(case, seconds)
    found += [("loop", model) for model in list(trial.front.values())[:MOST_MODELS]]
    started = time.perf_counter()
    model = controlled(case, samples, 100 if quick else None, _PATIENCE * seconds)
    took = math.inf if model is None else time.perf_counter() - started
    lines.figure(case.name, "seconds beside accuracy control", seconds, took)
    if model is not None:
        found.append(("accuracy control", model))
    points = judged(case, found)
    ours = [point for point in points if point.side == "autoq"]
    budget = float(result.info.max_drop or 0.0)
    volume = {side: hypervolume([p for p in points if p.side == side], budget) for side, _ in found}
    for side in dict.fromkeys(point.side for point in points if point.side != "autoq"):
        theirs = [point for point in points if point.side == side]
        acceptable = [point for point in theirs if not breaks(point, budget)]
        unmatched = [point for point in acceptable if not any(matches(own, point) for own in ours)]
        lines.figure(
            case.name,
            f"unmatched by autoq: {side}",
            len(unmatched),
            goal=None if quick else "<= 0",
            of=len(acceptable),
            beyond_budget=len(theirs) - len(acceptable),
            models=[[round(p.drop, 4), round(p.ratio.value, 3)] for p in theirs],
        )
        lines.figure(case.name, f"hypervolume beside {side}", volume["autoq"], volume[side])
    lines.figure(
        case.name,
        "models",
        len(ours),
        models=[[round(p.drop, 4), round(p.ratio.value, 3)] for p in ours],
        trials=len(result.records),
    )


def controlled(case: Case, samples: Sequence[Any], count: int | None, seconds: float) -> ov.Model | None:
    """What `nncf.quantize_with_accuracy_control` comes to, on all validation data or the first `count`.

    None where it has no model after so many seconds; it has no limit of its own.
    """
    try:
        with given_up_after(seconds):
            return nncf_control(
                case.model.clone(),
                samples,
                list(case.validation(count)),
                case.validate,
                max_drop=float(case.given["max_drop"]),
                subset_size=len(samples),
                model_type=case.model_type,
            )
    except GivenUp:
        return None


class GivenUp(BaseException):
    """The time is up; no Exception, which a metric's caller would take for a failure of the metric."""


@contextmanager
def given_up_after(seconds: float) -> Iterator[None]:
    """Raises `GivenUp` in what is done, wherever that is, when the time is up."""

    def end(*_: object) -> None:
        raise GivenUp

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def matches(own: Point, other: Point) -> bool:
    """Whether one is at least as good as the other in both, or not to be told apart from it."""
    accurate = own.drop <= other.drop or paired_drop(other.scores, own.scores).low <= 0
    return accurate and not other.ratio.below(own.ratio)


def breaks(point: Point, budget: float) -> bool:
    """Whether a model is shown to drop by more than the budget."""
    return point.low > budget


def main() -> None:
    """Runs every case."""
    command = parser(__doc__)
    command.add_argument("--seconds", type=float, default=600.0, help="of each search")
    options = command.parse_args()
    lines = Lines("search_quality")
    for case in cases(options.cases):
        compare(case, lines, seconds=30.0 if options.quick else options.seconds, quick=options.quick)
    lines.finish()


if __name__ == "__main__":
    main()
