"""Scores per sample, and the accuracy drop of a candidate against the float model on the same samples."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import DeviceError, Estimate, MetricError, reason
from autoq.evaluation.device import Compiled
from autoq.evaluation.metrics import (
    CorpusMetric,
    InferenceOutputs,
    Kept,
    Metric,
    OutputKind,
    Scores,
    SeenOutputs,
    apply_metric,
    jackknife_scores,
)
from autoq.evaluation.scoring._together import Infer, one_at_a_time
from autoq.evaluation.statistics import normal_quantile, t_quantile, tango_interval, wilson_interval

# The t interval needs many changed scores. If a smaller share has changed, it is too narrow, and without any it has no
# width.
_FEW = 0.25
# Outputs are scored and dropped after so many inferences or bytes, so that memory does not grow with the data.
_RUN = 256
_RUN_BYTES = 64 * 2**20


def score(
    compiled: Compiled,
    validation: Sequence[tuple[Feed, Any]],
    metric: Metric | CorpusMetric,
    kind: OutputKind | None = None,
) -> Scores:
    """Scores a model on labelled data.

    Args:
        compiled: The model.
        validation: Pairs of inputs and targets.
        metric: The metric.
        kind: Kind of the first output, as the float model tells it; None lets this model tell it.

    Returns:
        Scores whose mean is the metric, [n]: one per inference, in the order of the data. A metric of the whole corpus
        gives one per block of inferences, with the same blocks for every model.

    Raises:
        DataError: An item does not fit the model.
        MetricError: The metric raised an error, or returned something that is not a score.
        DeviceError: Inference fails.
    """
    return score_and_tell(one_at_a_time(compiled), validation, metric, kind)[0]


def score_and_tell(
    infer: Infer,
    validation: Sequence[tuple[Feed, Any]],
    metric: Metric | CorpusMetric,
    kind: OutputKind | None = None,
) -> tuple[Scores, OutputKind | None]:
    """Scores a model, and tells the kind of its first output, if the metric needs it and it is not given.

    The outputs are read once: scores for all kinds that are still possible are computed side by side.

    Args:
        infer: Runs the model.
        validation: As in `score`.
        metric: Likewise.
        kind: Likewise.
    """
    if metric.kinds is None or kind is not None:
        scoring = _scoring(metric if metric.kinds is None or kind is None else metric.kinds(kind), len(validation))
        _infer(infer, validation, scoring.take)
        return scoring.result(), kind
    seen = SeenOutputs()
    variants = {possible: _scoring(metric.kinds(possible), len(validation)) for possible in OutputKind}
    failed: dict[OutputKind, MetricError] = {}

    def take(outputs: InferenceOutputs, target: Any) -> None:  # whatever the user's data hold
        seen.update(outputs[0])
        for possible in seen.possible - failed.keys():
            try:
                variants[possible].take(outputs, target)
            except MetricError as error:
                failed[possible] = error
        if seen.possible <= failed.keys():
            raise failed[seen.kind]

    _infer(infer, validation, take)
    if seen.kind in failed:
        raise failed[seen.kind]
    return variants[seen.kind].result(), seen.kind


class _Scoring(Protocol):
    """Takes the outputs and the target of each inference, in the order of the data, and scores them."""

    def take(self, outputs: InferenceOutputs, target: Any) -> None: ...  # whatever the user's data hold

    def result(self) -> Scores: ...


def _scoring(metric: Metric | CorpusMetric, count: int) -> _Scoring:
    return _OfCorpus(metric) if isinstance(metric, CorpusMetric) else _OfSamples(metric, np.empty(count))


@dataclass(slots=True)
class _OfSamples:
    """Scores of single inferences, several at a time."""

    metric: Metric
    scores: Scores
    kept: list[InferenceOutputs] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)
    done: int = 0
    size: int = 0

    def take(self, outputs: InferenceOutputs, target: Any) -> None:  # whatever the user's data hold
        self.kept.append(outputs)
        self.targets.append(target)
        self.size += sum(array.nbytes for array in outputs)
        if len(self.kept) == _RUN or self.size > _RUN_BYTES or self.done + len(self.kept) == len(self.scores):
            end = self.done + len(self.kept)
            self.scores[self.done : end] = apply_metric(self.metric, self.kept, self.targets, self.done)
            self.done, self.size = end, 0
            self.kept.clear()
            self.targets.clear()

    def result(self) -> Scores:
        return self.scores


@dataclass(slots=True)
class _OfCorpus:
    """Keeps the parts of inferences that a metric needs, and scores them all."""

    metric: CorpusMetric
    kept: list[Kept] = field(default_factory=list)

    def take(self, outputs: InferenceOutputs, target: Any) -> None:  # whatever the user's data hold
        self.kept.append(self.metric.kept(outputs, target, len(self.kept)))

    def result(self) -> Scores:
        return jackknife_scores(self.metric, self.kept)


def _infer(infer: Infer, validation: Sequence[tuple[Feed, Any]], take: Callable[[InferenceOutputs, Any], None]) -> None:
    """Passes on the outputs and the target of each inference, in the order of the data."""
    targets: deque[Any] = deque()
    done = 0

    def feeds() -> Iterator[Feed]:
        for inputs, target in validation:
            targets.append(target)
            yield inputs

    def took(outputs: InferenceOutputs) -> None:
        nonlocal done
        take(outputs, targets.popleft())
        done += 1

    try:
        infer(feeds(), took)
    except RuntimeError as error:
        msg = f"inference fails on validation samples from number {done}: {reason(error)}"
        raise DeviceError(msg) from error


def paired_drop(reference: NDArray[Any], scores: NDArray[Any], confidence: float = 0.95) -> Estimate:
    """Accuracy drop of a candidate: its mean score below that of the float model, on the same samples.

    1. Scores of 0 and 1: Tango's score interval for paired proportions, which belongs to McNemar's test.
    2. Other scores, if few have changed: the same interval, for changes of one size with the same mean and variance.
    3. Otherwise the t interval of the mean difference.

    The ends are infinite if there is only one sample, or if all scores are equal and none has changed.

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
        msg = f"paired scores must be equal in number, and at least one, but got {len(reference)=} and {len(scores)=}."
        raise ValueError(msg)
    difference = np.asarray(reference, np.float64) - np.asarray(scores, np.float64)
    value = float(difference.mean())
    if _is_binary(reference) and _is_binary(scores):
        low, high = _changes_interval(difference, 1.0, normal_quantile((1 + confidence) / 2))
    elif len(difference) > 1 and _changed(difference) < _FEW * len(difference):
        # The size of a change if there was none: about the spread of the scores.
        size = float(np.std(reference, ddof=1))
        low, high = _changes_interval(difference, size, t_quantile((1 + confidence) / 2, len(difference) - 1))
    else:
        low, high = t_interval(difference, confidence)
    return Estimate(value, min(low, value), max(high, value), confidence)


def drop_between(reference: tuple[float, Scores], candidate: tuple[float, Scores]) -> Estimate:
    """Accuracy drop of a candidate against the float model; without scores to pair, its interval is unknown.

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
        low, high = wilson_interval(int(np.sum(scores)), len(scores), confidence)
    else:
        low, high = t_interval(np.asarray(scores, np.float64), confidence)
    return Estimate(value, min(low, value), max(high, value), confidence)


def _is_binary(scores: NDArray[Any]) -> bool:
    return bool(np.isin(scores, (0, 1)).all())


def _changed(difference: NDArray[np.float64]) -> float:
    """Number of changes of equal size that have the same mean absolute value and mean square as these."""
    square = float(np.sum(difference**2))
    return float(np.sum(np.abs(difference))) ** 2 / square if square else 0.0


def _changes_interval(difference: NDArray[np.float64], size: float, z: float) -> tuple[float, float]:
    """Tango's interval of a mean difference; `size` is the size of a change if there is none.

    The ends are infinite if neither changes nor scores differ, since nothing tells the size of a change.
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
    """Ends of Student's interval of a mean; infinite for a single value, which does not tell its own error."""
    mean = float(values.mean())
    if len(values) < 2:
        return -np.inf, np.inf
    half = float(t_quantile((1 + confidence) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return mean - half, mean + half
