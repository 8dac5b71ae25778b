"""Accuracy of each preset and range estimator, autoq's and NNCF's, on all labelled data, with paired intervals.

Both quantize with the same 300 samples; every score is paired with the float model's on the same items, and executed in
f32 where layers are in float. The last figure of a case compares the best of ours with the best of theirs.

    python experiments/benchmarks/accuracy.py [CASE ...] [--quick]
"""

from __future__ import annotations

import itertools

from _cases import Case, run
from _lines import Lines
from _peer import AGGREGATORS, quantize_with

import autoq
from autoq.core import Preset, RangeEstimator, Recipe, RuntimePrecision
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.scoring import Scores, paired_drop

# Of activations and of weights; the peer does not search, but for its histogram.
OURS_ALONE = (
    (RangeEstimator.MSE, RangeEstimator.MIN_MAX),
    (RangeEstimator.KL, RangeEstimator.MIN_MAX),
    (RangeEstimator.MEAN_MIN_MAX, RangeEstimator.MSE),
    (RangeEstimator.MIN_MAX, RangeEstimator.MSE),
)


def compare(case: Case, lines: Lines, *, quick: bool) -> None:
    """Prints the figures of one case."""
    subset, count = (20, 100) if quick else (300, None)
    runtime = RuntimeConfig(inference_precision=RuntimePrecision.F32)
    samples = case.calibration(subset)
    reference = case.score(case.model, runtime, count)
    shared = [(estimator, RangeEstimator.MIN_MAX) for estimator in AGGREGATORS]
    estimators = shared[:1] if quick else [*shared, *OURS_ALONE]
    best: list[tuple[float, Scores] | None] = [None, None]
    for preset, (estimator, of_weights) in itertools.product(Preset, estimators):
        recipe = Recipe(preset=preset, range_estimator=estimator, subset_size=subset)
        models = [
            autoq.quantize(
                case.model,
                samples,
                preset=str(preset),
                range_estimator=estimator,
                weight_range_estimator=of_weights,
                subset_size=subset,
                model_type=case.model_type,
            )
        ]
        if (estimator, of_weights) in shared:
            models.append(quantize_with(recipe, case.model.clone(), samples, case.model_type))
        points, intervals = [], []
        for side, model in enumerate(models):
            scores = case.score(model, runtime, count)
            drop = paired_drop(reference, scores)
            points.append(100 * drop.value)
            intervals.append([round(100 * drop.low, 2), round(100 * drop.high, 2)])
            if best[side] is None or scores.mean() > best[side][0]:  # type: ignore[index]  # just looked at
                best[side] = (float(scores.mean()), scores)
        lines.figure(
            case.name,
            f"drop_points {preset} {estimator}"
            + ("" if of_weights is RangeEstimator.MIN_MAX else f", weights {of_weights}"),
            *points,
            intervals=intervals,
        )
    ours, theirs = best
    if ours is None or theirs is None:
        return
    behind = paired_drop(theirs[1], ours[1])
    lines.figure(
        case.name,
        "best_points",
        100 * ours[0],
        100 * theirs[0],
        goal=None if quick else "<= 0",
        judged=round(100 * behind.low, 3),
        behind_peer=[round(100 * value, 2) for value in (behind.low, behind.value, behind.high)],
    )


if __name__ == "__main__":
    run("accuracy", __doc__, compare)
