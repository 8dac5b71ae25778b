"""Metrics: `(outputs, targets) -> scores [n]`, higher is better.

| name    | meaning                                                | shape          |
|---------|--------------------------------------------------------|----------------|
| outputs | the model's outputs, each joined over n inferences     | [n, ...]       |
| targets | what the user gave beside the inputs                   | [n, ...]       |
| scores  | one number per sample                                  | [n]            |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.core import MetricError

Outputs = Sequence[NDArray[Any]]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """A named metric.

    Attributes:
        name: For people and for the identity of a search.
        function: `(outputs, targets) -> scores [n]`; outputs are the arrays of n inferences of one sample or batch
            each.
        joined: The function takes arrays joined over samples; else it is called for one inference at a time.
    """

    name: str
    function: Callable[..., Any]
    joined: bool = True


def accuracy(outputs: Outputs, targets: NDArray[Any]) -> Scores:
    """1 where the largest of the first output's last axis is the target class."""
    return _flat(outputs[0].argmax(axis=-1) == _labels(outputs[0], targets))


def top5(outputs: Outputs, targets: NDArray[Any]) -> Scores:
    """1 where the target class is among the five largest of the first output's last axis."""
    best = np.argpartition(outputs[0], -min(5, outputs[0].shape[-1]), axis=-1)[..., -5:]
    return _flat((best == _labels(outputs[0], targets)[..., None]).any(axis=-1))


def binary_accuracy(outputs: Outputs, targets: NDArray[Any]) -> Scores:
    """1 where the sign of the first output, a logit, is that of the target, 0 or 1."""
    return _flat((outputs[0].reshape(len(targets), -1)[:, 0] > 0) == (np.asarray(targets).reshape(-1) > 0))


def log_likelihood(outputs: Outputs, targets: NDArray[Any]) -> Scores:
    """Log probability of the target class under the softmax of the first output, averaged over positions."""
    return _flat(log_probabilities(outputs[0], _labels(outputs[0], targets)))


def log_probabilities(logits: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Log probability of each label under the softmax of the last axis.

    A language model's logits are large: no copy of them is made in double precision.

    Args:
        logits: [..., classes].
        labels: [...].
    """
    values = np.asarray(logits, np.result_type(logits.dtype, np.float32))
    shifted = values - values.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(shifted, labels[..., None], axis=-1)[..., 0].astype(np.float64)
    np.exp(shifted, out=shifted)
    return np.asarray(chosen - np.log(shifted.sum(axis=-1, dtype=np.float64)))


def negative_mse(outputs: Outputs, targets: NDArray[Any]) -> Scores:
    """Minus the mean squared error of the first output."""
    error = outputs[0].astype(np.float64) - np.asarray(targets, np.float64).reshape(outputs[0].shape)
    return np.negative(_flat(error**2))


def cosine(outputs: Outputs, targets: NDArray[Any]) -> Scores:
    """Cosine of the angle between the first output and the target."""
    a = outputs[0].astype(np.float64).reshape(len(outputs[0]), -1)
    b = np.asarray(targets, np.float64).reshape(a.shape)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.einsum("nd,nd->n", a, b) / np.maximum(norms, np.finfo(np.float64).tiny))


def _labels(logits: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.int64]:
    return np.asarray(targets, np.int64).reshape(logits.shape[:-1])


def _flat(values: NDArray[Any]) -> Scores:
    """Mean over all axes but the first."""
    return np.asarray(np.asarray(values, np.float64).reshape(len(values), -1).mean(axis=1))


METRICS: dict[str, Callable[[Outputs, NDArray[Any]], Scores]] = {
    "accuracy": accuracy,
    "top5": top5,
    "binary_accuracy": binary_accuracy,
    "log_likelihood": log_likelihood,
    "negative_mse": negative_mse,
    "cosine": cosine,
}


def apply_metric(metric: Metric, outputs: list[Outputs], targets: Sequence[Any], first: int) -> Scores:
    """Scores a run of inferences.

    Args:
        metric: What scores them.
        outputs: Per inference, the output arrays.
        targets: Per inference, the target.
        first: Number of the first inference, for errors.

    Returns:
        One score per inference: the mean over the batch where an inference holds several samples.

    Raises:
        MetricError: The metric raised, or returned something other than one finite number per sample.
    """
    try:
        if metric.joined:
            values: Any = np.concatenate([_of_one_shape(metric, run) for run in _runs_of_one_shape(outputs, targets)])
            sizes = [len(o[0]) for o in outputs]
        else:
            values = [metric.function(list(o), t) for o, t in zip(outputs, targets, strict=True)]
            sizes = [np.size(v) for v in values]
            values = np.concatenate([np.asarray(v, np.float64).reshape(-1) for v in values])
    except Exception as error:
        msg = f"metric {metric.name!r} raised {type(error).__name__} on samples from {first}: {error}"
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


def _runs_of_one_shape(outputs: list[Outputs], targets: Sequence[Any]) -> list[list[tuple[Outputs, Any]]]:
    """Neighbouring inferences whose arrays can be joined."""
    pairs = zip(outputs, targets, strict=True)
    return [list(run) for _, run in groupby(pairs, key=lambda pair: [array.shape for array in pair[0]])]


def _of_one_shape(metric: Metric, run: list[tuple[Outputs, Any]]) -> Any:  # what the function returned
    joined = [np.concatenate(parts, axis=0) for parts in zip(*(outputs for outputs, _ in run), strict=True)]
    stacked = np.concatenate([np.asarray(target).reshape(len(outputs[0]), -1) for outputs, target in run])
    return metric.function(joined, stacked)
