"""Metrics: `(outputs, targets) -> scores [n]`, higher is better.

| name    | meaning                                                | shape          |
|---------|--------------------------------------------------------|----------------|
| outputs | the model's outputs, each joined over n inferences     | [n, ...]       |
| targets | what the user gave beside the inputs                   | [n, ...]       |
| scores  | one number per sample                                  | [n]            |

A metric refuses outputs and targets for which it would be equal for every model, or would not mean what its name says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.core import MetricError, counted, reason
from autoq.evaluation.metrics._labels import IGNORED, as_sample, class_numbers, classes_last, predicted_and_true
from autoq.evaluation.metrics._output_kind import OutputKind

# One array per output of the model.
InferenceOutputs = Sequence[NDArray[Any]]
Scores = NDArray[np.float64]

_TOP = 5
_SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True)
class Metric:
    """A named metric.

    Attributes:
        name: Name for people, and for the identity of a search.
        function: `(outputs, targets) -> scores [n]`; outputs are the arrays of n inferences, each of one sample or
            batch.
        joined: Whether the function takes arrays joined over samples; otherwise it is called for one inference at a
            time.
        kinds: The metric for each kind of the first output, if the kind makes a difference.
        of_float: Score of the float model in f32, for a metric that compares outputs with those of the float model: its
            targets are `BesideFloat`. None for other metrics.
    """

    name: str
    function: Callable[..., Any]
    joined: bool = True
    kinds: Callable[[OutputKind], Metric] | None = None
    of_float: float | None = None


def accuracy(outputs: InferenceOutputs, targets: NDArray[Any], kind: OutputKind = OutputKind.LOGITS) -> Scores:
    """1 where the largest class of the first output is the target, 0 elsewhere. A single number means yes or no."""
    predicted, labels = predicted_and_true(outputs[0], targets, kind)
    return _flat(predicted == labels)


def top5(outputs: InferenceOutputs, targets: NDArray[Any]) -> Scores:
    """1 where the target is among the five largest classes of the first output, 0 elsewhere."""
    values = classes_last(outputs[0], int(np.size(targets)))
    classes = values.shape[-1]
    if classes <= _TOP:
        msg = f"the target is always among the five largest of {classes} class{'es' * (classes > 1)}: use 'accuracy'."
        raise MetricError(msg)
    labels = class_numbers(targets, values.shape[:-1], classes)
    best = np.argpartition(values, -_TOP, axis=-1)[..., -_TOP:]
    return _flat((best == labels[..., None]).any(axis=-1))


def binary_accuracy(outputs: InferenceOutputs, targets: NDArray[Any], kind: OutputKind = OutputKind.LOGITS) -> Scores:
    """1 where the first output agrees with the target, which is 0 or 1; 0 elsewhere.

    Each output number is a prediction of its own, or the larger one of two is.

    A logit above 0 means 1, and so does a probability above 0.5.
    """
    values, count = outputs[0], int(np.size(targets))
    if count == values.size:
        return _flat((values > kind.threshold) == class_numbers(targets, values.shape, 1))
    values = classes_last(values, count)
    if values.shape[-1] != 2:
        msg = f"outputs of {values.shape[-1]} classes do not mean 0 or 1: use 'accuracy'."
        raise MetricError(msg)
    return _flat(values.argmax(axis=-1) == class_numbers(targets, values.shape[:-1], 2))


def log_likelihood(outputs: InferenceOutputs, targets: NDArray[Any], kind: OutputKind = OutputKind.LOGITS) -> Scores:
    """Log probability of the target class by the first output, averaged over positions whose label is not -100."""
    values = classes_last(outputs[0], int(np.size(targets)))
    labels = class_numbers(targets, values.shape[:-1], values.shape[-1], ignored=IGNORED).reshape(len(values), -1)
    scored = labels != IGNORED
    if not scored.any(axis=1).all():
        msg = f"all labels of a sample are {IGNORED}, which leaves none to score."
        raise MetricError(msg)
    found = log_probabilities(values, np.where(scored, labels, 0).reshape(values.shape[:-1]), kind)
    return np.asarray((found.reshape(labels.shape) * scored).sum(axis=1) / scored.sum(axis=1))


def log_probabilities(
    values: NDArray[Any], labels: NDArray[np.int64], kind: OutputKind = OutputKind.LOGITS
) -> NDArray[np.float64]:
    """Log probability of each label.

    1. Probabilities: the label's share of the sum of its row, at least 1e-12.
    2. One number: the probability of class 1, or its logit.
    3. Otherwise the label's share in the softmax of the last axis. A language model has many logits: they are not
       copied in double precision.

    Args:
        values: [..., classes].
        labels: [...].
        kind: Kind of the values.
    """
    values = np.asarray(values, np.result_type(values.dtype, np.float32))
    if kind is OutputKind.PROBABILITIES:
        chosen = np.take_along_axis(values, labels[..., None], axis=-1)[..., 0].astype(np.float64)
        return np.asarray(np.log(np.maximum(chosen / values.sum(axis=-1, dtype=np.float64), _SMALLEST_PROBABILITY)))
    if values.shape[-1] == 1:
        one = values[..., 0].astype(np.float64)
        if kind is OutputKind.SHARES:
            return np.log(np.maximum(np.where(labels == 1, one, 1 - one), _SMALLEST_PROBABILITY))
        return np.asarray(-np.logaddexp(0, np.where(labels == 1, -one, one)))
    shifted = values - values.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(shifted, labels[..., None], axis=-1)[..., 0].astype(np.float64)
    np.exp(shifted, out=shifted)
    return np.asarray(chosen - np.log(shifted.sum(axis=-1, dtype=np.float64)))


def negative_mse(outputs: InferenceOutputs, targets: NDArray[Any]) -> Scores:
    """Minus the mean squared error of the first output."""
    return np.negative(_flat((outputs[0].astype(np.float64) - _numbers(outputs[0], targets)) ** 2))


def cosine(outputs: InferenceOutputs, targets: NDArray[Any]) -> Scores:
    """Cosine of the angle between the first output and the target."""
    a = outputs[0].astype(np.float64).reshape(len(outputs[0]), -1)
    b = _numbers(outputs[0], targets).reshape(a.shape)
    if a.shape[1] == 1:
        msg = "the cosine of one number is only its sign: use 'negative_mse' or 'pearson'."
        raise MetricError(msg)
    if not b.any(axis=1).all():
        msg = "a target is zero everywhere and has no angle with an output."
        raise MetricError(msg)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.einsum("nd,nd->n", a, b) / np.maximum(norms, np.finfo(np.float64).tiny))


def _numbers(outputs: NDArray[Any], targets: Any) -> NDArray[np.float64]:  # numbers in some form
    """Targets in the shape of the outputs that they are compared with."""
    numbers = np.asarray(targets, np.float64)
    if numbers.size != outputs.size:
        msg = f"{numbers.size} target numbers beside outputs of the shape {outputs.shape}: as many are needed."
        raise MetricError(msg)
    if not np.isfinite(numbers).all():
        msg = f"a target is {numbers[~np.isfinite(numbers)][0]}: finite numbers are needed."
        raise MetricError(msg)
    return numbers.reshape(outputs.shape)


def _flat(values: NDArray[Any]) -> Scores:
    """Mean over all axes except the first."""
    return np.asarray(np.asarray(values, np.float64).reshape(len(values), -1).mean(axis=1))


METRICS: dict[str, Callable[[InferenceOutputs, NDArray[Any]], Scores]] = {
    "accuracy": accuracy,
    "top5": top5,
    "binary_accuracy": binary_accuracy,
    "log_likelihood": log_likelihood,
    "negative_mse": negative_mse,
    "cosine": cosine,
}
_BY_KIND = {"accuracy", "binary_accuracy", "log_likelihood"}


def named_metric(name: str) -> Metric:
    """One of `METRICS`."""
    function: Callable[..., Any] = METRICS[name]
    if name not in _BY_KIND:
        return Metric(name, function)
    return Metric(name, function, kinds=lambda kind: Metric(name, partial(function, kind=kind)))


def apply_metric(metric: Metric, outputs: list[InferenceOutputs], targets: Sequence[Any], first: int) -> Scores:
    """Scores a run of inferences.

    Args:
        metric: The metric.
        outputs: Per inference, the output arrays.
        targets: Per inference, the target.
        first: Number of the first inference, for errors.

    Returns:
        One score per inference: the mean over the batch where an inference holds several samples.

    Raises:
        MetricError: The metric raised an error, or did not return one finite number per sample.
    """
    if metric.joined:
        outputs = [[as_sample(first, t), *others] for (first, *others), t in zip(outputs, targets, strict=True)]
    try:
        if metric.joined:
            values: Any = np.concatenate([_of_one_shape(metric, run) for run in _runs_of_one_shape(outputs, targets)])
            sizes = [len(o[0]) for o in outputs]
        else:
            values = [metric.function(list(o), t) for o, t in zip(outputs, targets, strict=True)]
            if any(value is None for value in values):
                msg = "it returned None: a number is needed, or one for each sample of a batch."
                raise MetricError(msg)
            sizes = [np.size(v) for v in values]
            values = np.concatenate([np.asarray(v, np.float64).reshape(-1) for v in values])
    except MetricError as error:
        msg = f"metric {metric.name!r} cannot score samples from {first}: {error}"
        raise MetricError(msg) from None
    except Exception as error:
        msg = f"metric {metric.name!r} raised {type(error).__name__} on samples from {first}: {reason(error)}"
        if not metric.joined and outputs:
            given = counted(len(outputs[0]), "output")
            msg = f"{msg.rstrip('.')}. It gets the list of the model's {given}, and the target."
        raise MetricError(msg) from error
    scores = np.asarray(values, np.float64).reshape(-1)
    if scores.size != sum(sizes) or not all(sizes):
        msg = f"metric {metric.name!r} returned {scores.size} scores for {sum(sizes)} samples: one each is needed."
        raise MetricError(msg)
    if not np.isfinite(scores).all():
        bad = int(np.flatnonzero(~np.isfinite(scores))[0])
        msg = f"metric {metric.name!r} returned {scores[bad]} on sample {first + bad}: scores must be finite."
        raise MetricError(msg)
    edges = np.cumsum([0, *sizes[:-1]])
    return np.asarray(np.add.reduceat(scores, edges) / np.asarray(sizes, np.float64))


def _runs_of_one_shape(
    outputs: list[InferenceOutputs], targets: Sequence[Any]
) -> list[list[tuple[InferenceOutputs, Any]]]:
    """Neighbouring inferences whose arrays can be joined."""
    pairs = zip(outputs, targets, strict=True)
    return [list(run) for _, run in groupby(pairs, key=lambda pair: [array.shape for array in pair[0]])]


def _of_one_shape(metric: Metric, run: list[tuple[InferenceOutputs, Any]]) -> Any:  # what the function returned
    joined = [np.concatenate(parts, axis=0) for parts in zip(*(outputs for outputs, _ in run), strict=True)]
    rows = [_rows(target, len(outputs[0])) for outputs, target in run]
    if len({row.shape[1] for row in rows}) > 1:
        sizes = ", ".join(map(str, sorted({row.shape[1] for row in rows})))
        msg = f"targets hold {sizes} numbers for a sample, beside outputs of one shape: as many each are needed."
        raise MetricError(msg)
    return metric.function(joined, np.concatenate(rows))


def _rows(target: Any, samples: int) -> NDArray[Any]:  # whatever the user's data hold
    array = np.asarray(target)
    if not array.size or array.size % samples:
        msg = f"a target of the shape {array.shape} stands beside a first output of {samples} samples."
        raise MetricError(msg)
    return array.reshape(samples, -1)
