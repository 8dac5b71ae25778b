"""Per-sample scores, and what they say about a candidate beside the float model on the same samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from scipy import stats

from autoq.calibration import Feed, infer_all
from autoq.core import DeviceError, Estimate
from autoq.evaluation._corpus import CorpusMetric, Kept, jackknife_scores
from autoq.evaluation._metrics import Metric, Outputs, apply_metric
from autoq.evaluation._runtime import Compiled, first_reason
from autoq.evaluation._tango import tango_interval

Scores = NDArray[np.float64]

# The t interval needs many changes: below this share of the scores it is too narrow, and has no width without any.
_FEW = 0.25
# Outputs are scored and dropped in runs of so many inferences or bytes, so that memory does not grow with the data.
_RUN = 256
_RUN_BYTES = 64 * 2**20


def score(compiled: Compiled, validation: Sequence[tuple[Feed, Any]], metric: Metric | CorpusMetric) -> Scores:
    """Scores a model on labelled data.

    Args:
        compiled: The model.
        validation: Pairs of inputs and targets.
        metric: What scores them.

    Returns:
        Scores whose mean is the metric: one per inference, in the order of the data, [n]; for a metric of the whole
        corpus one per block of inferences, the same blocks for every model.

    Raises:
        DataError: An item does not fit the model.
        MetricError: The metric raised, or returned something that is not a score.
        DeviceError: Inference fails.
    """
    if isinstance(metric, CorpusMetric):
        return jackknife_scores(metric, _kept(compiled, validation, metric))
    return _scored(compiled, validation, metric)


def _scored(compiled: Compiled, validation: Sequence[tuple[Feed, Any]], metric: Metric) -> Scores:
    """Scores of single inferences, several at a time."""
    scores = np.empty(len(validation))
    kept: list[Outputs] = []
    targets: list[Any] = []
    done = size = 0

    def take(outputs: Outputs, target: Any) -> None:  # whatever the user's data hold
        nonlocal done, size
        kept.append(outputs)
        targets.append(target)
        size += sum(array.nbytes for array in outputs)
        if len(kept) == _RUN or size > _RUN_BYTES or done + len(kept) == len(scores):
            scores[done : done + len(kept)] = apply_metric(metric, kept, targets, done)
            done += len(kept)
            size = 0
            kept.clear()
            targets.clear()

    _infer(compiled, validation, take)
    return scores


def _kept(compiled: Compiled, validation: Sequence[tuple[Feed, Any]], metric: CorpusMetric) -> list[Kept]:
    """What a metric needs of each inference."""
    kept: list[Kept] = []
    _infer(compiled, validation, lambda outputs, target: kept.append(metric.kept(outputs, target, len(kept))))
    return kept


def _infer(compiled: Compiled, validation: Sequence[tuple[Feed, Any]], take: Callable[[Outputs, Any], None]) -> None:
    """Hands over the outputs of each inference with its target, in the order of the data."""
    targets: deque[Any] = deque()
    done = 0

    def feeds() -> Iterator[Feed]:
        for inputs, target in validation:
            targets.append(target)
            yield inputs

    def copied(request: ov.InferRequest) -> None:
        nonlocal done
        take([np.array(tensor.data) for tensor in request.output_tensors], targets.popleft())
        done += 1

    try:
        infer_all(compiled.compiled_model, feeds(), copied, reset_state=compiled.reset_state)
    except RuntimeError as error:
        msg = f"inference fails on validation samples from {done}: {first_reason(error)}"
        raise DeviceError(msg) from error


def paired_drop(reference: NDArray[Any], scores: NDArray[Any], confidence: float = 0.95) -> Estimate:
    """How much lower a candidate scores than the float model, on the same samples.

    1. Scores of 0 and 1: Tango's score interval for paired proportions, the one that McNemar's test belongs to.
    2. Scores few of which changed: the same, of changes all of one size that come to the same mean and variance.
    3. Else the t interval of the mean difference.

    Nothing is known, and the ends are infinite, where there is one sample, or where all samples score the same and none
    changed.

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
        low, high = _changes_interval(difference, 1.0, float(stats.norm.ppf((1 + confidence) / 2)))
    elif len(difference) > 1 and _changed(difference) < _FEW * len(difference):
        # What a change would come to where there was none: about as much as scores differ among themselves.
        size = float(np.std(reference, ddof=1))
        low, high = _changes_interval(difference, size, float(stats.t.ppf((1 + confidence) / 2, len(difference) - 1)))
    else:
        low, high = t_interval(difference, confidence)
    return Estimate(value, min(low, value), max(high, value), confidence)


def drop_between(reference: tuple[float, Scores], candidate: tuple[float, Scores]) -> Estimate:
    """How much lower a candidate scores than the float model; how sure that is, is unknown without scores to pair.

    Args:
        reference: Mean and scores of the float model.
        candidate: Mean and scores of the candidate.
    """
    (before, paired), (after, scores) = reference, candidate
    if scores.size and scores.size == paired.size:
        return paired_drop(paired, scores)
    return Estimate.unknown(before - after)


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


def _changed(difference: NDArray[np.float64]) -> float:
    """How many changes of equal size have the mean absolute value and the mean square that these have."""
    square = float(np.sum(difference**2))
    return float(np.sum(np.abs(difference))) ** 2 / square if square else 0.0


def _changes_interval(difference: NDArray[np.float64], size: float, z: float) -> tuple[float, float]:
    """Tango's interval of a mean difference; `size` is that of a change where there is none.

    Infinite where neither changes nor scores differ: nothing tells the size of a change.
    """
    total = float(np.sum(np.abs(difference)))
    if total:
        size = float(np.sum(difference**2)) / total
    if not size:
        return -np.inf, np.inf
    counts = difference / size
    low, high = tango_interval(float(counts[counts > 0].sum()), float(-counts[counts < 0].sum()), len(difference), z)
    return low * size, high * size


def t_interval(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    """Ends of Student's interval of a mean; infinite where there is one value, which does not tell its own error."""
    mean = float(values.mean())
    if len(values) < 2:
        return -np.inf, np.inf
    half = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean - half, mean + half
