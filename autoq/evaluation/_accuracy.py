"""Per-sample scores, and what they say about a candidate beside the float model on the same samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from scipy import stats

from autoq.calibration import Feed, infer_all
from autoq.core import DeviceError, Estimate
from autoq.evaluation._metrics import Metric, Outputs, apply_metric
from autoq.evaluation._runtime import Compiled, first_reason

Scores = NDArray[np.float64]

# Outputs are scored and dropped in runs of this many inferences, so that memory does not grow with the data.
_RUN = 256


def score(compiled: Compiled, validation: Sequence[tuple[Feed, Any]], metric: Metric) -> Scores:
    """Scores a model on labelled data, several inferences at a time.

    Args:
        compiled: The model.
        validation: Pairs of inputs and targets.
        metric: What scores them.

    Returns:
        One score per inference, in the order of the data, [n].

    Raises:
        DataError: An item does not fit the model.
        MetricError: The metric raised, or returned something that is not a score.
        DeviceError: Inference fails.
    """
    scores = np.empty(len(validation))
    kept: list[Outputs] = []
    targets: list[Any] = []
    done = 0

    def feeds() -> Iterator[Feed]:
        for inputs, target in validation:
            targets.append(target)
            yield inputs

    def take(request: ov.InferRequest) -> None:
        nonlocal done
        kept.append([np.array(tensor.data) for tensor in request.output_tensors])
        if len(kept) == _RUN or done + len(kept) == len(scores):
            scores[done : done + len(kept)] = apply_metric(metric, kept, targets[: len(kept)], done)
            done += len(kept)
            del targets[: len(kept)]
            kept.clear()

    try:
        infer_all(compiled.compiled_model, feeds(), take)
    except RuntimeError as error:
        msg = f"inference fails on validation samples from {done}: {first_reason(error)}"
        raise DeviceError(msg) from error
    return scores


def paired_drop(reference: NDArray[Any], scores: NDArray[Any], confidence: float = 0.95) -> Estimate:
    """How much lower a candidate scores than the float model, on the same samples.

    For scores of 0 and 1 the interval is the adjusted Wald interval for paired proportions (Agresti and Min 2005,
    with half a sample added to each cell), for others the t interval of the mean difference.

    Args:
        reference: Scores of the float model, [n].
        scores: Scores of the candidate, [n].
        confidence: Nominal coverage.

    Returns:
        Mean of reference minus scores, positive where the candidate is worse.

    Raises:
        ValueError: The arrays differ in length or are empty.
    """
    if len(reference) != len(scores) or not len(scores):
        msg = f"paired scores must be as many and not none, but got {len(reference)=} and {len(scores)=}."
        raise ValueError(msg)
    difference = np.asarray(reference, np.float64) - np.asarray(scores, np.float64)
    value = float(difference.mean())
    if _is_binary(reference) and _is_binary(scores):
        low, high = _paired_proportions(difference, confidence)
    else:
        low, high = t_interval(difference, confidence)
    return Estimate(value, min(low, value), max(high, value), confidence)


def mean_interval(scores: NDArray[Any], confidence: float = 0.95) -> Estimate:
    """Mean score with its interval: Wilson's for scores of 0 and 1, the t interval for others."""
    value = float(np.mean(scores))
    if _is_binary(scores):
        interval = stats.binomtest(int(np.sum(scores)), len(scores)).proportion_ci(confidence, method="wilson")
        return Estimate(value, min(float(interval.low), value), max(float(interval.high), value), confidence)
    low, high = t_interval(np.asarray(scores, np.float64), confidence)
    return Estimate(value, min(low, value), max(high, value), confidence)


def _is_binary(scores: NDArray[Any]) -> bool:
    return bool(np.isin(scores, (0, 1)).all())


def _paired_proportions(difference: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    n = len(difference) + 2
    lost, won = np.sum(difference > 0) + 0.5, np.sum(difference < 0) + 0.5
    center = (lost - won) / n
    spread = np.sqrt(lost + won - (lost - won) ** 2 / n) / n
    z = stats.norm.ppf((1 + confidence) / 2)
    return float(center - z * spread), float(center + z * spread)


def t_interval(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Ends of Student's interval of a mean; of no width where there is one value."""
    mean = float(values.mean())
    if len(values) < 2:
        return mean, mean
    half = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean - half, mean + half
