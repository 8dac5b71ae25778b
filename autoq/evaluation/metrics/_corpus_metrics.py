"""Metrics of a whole data set by name. Only the numbers that they need are kept of each inference."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.core import MetricError
from autoq.evaluation.metrics._corpus import CorpusMetric, Kept
from autoq.evaluation.metrics._labels import IGNORED, as_sample, class_numbers, predicted_and_true
from autoq.evaluation.metrics._metrics import InferenceOutputs, log_probabilities
from autoq.evaluation.metrics._output_kind import OutputKind

# A correlation of two samples is always 1 or -1, and of three samples each is left out in turn.
_FEWEST = 4


def _classes(
    outputs: InferenceOutputs, target: Any, kind: OutputKind = OutputKind.LOGITS
) -> Kept:  # class numbers in some form
    """Predicted and true class of each scored position, as `predicted_and_true` gives them."""
    predicted, labels = predicted_and_true(as_sample(outputs[0], target), target, kind, ignored=IGNORED)
    scored = labels != IGNORED
    return [predicted[scored]], labels[scored]


def f1_macro(outputs: InferenceOutputs, targets: NDArray[np.int64]) -> float:
    """Mean of the F1 of all classes that are predicted or true somewhere."""
    predicted = outputs[0]
    if not len(targets):
        msg = f"all labels are {IGNORED}, which leaves none to score."
        raise MetricError(msg)
    classes = int(max(predicted.max(), targets.max())) + 1
    both = np.bincount(targets[predicted == targets], minlength=classes)
    either = np.bincount(targets, minlength=classes) + np.bincount(predicted, minlength=classes)
    found = either > 0
    return float((2 * both[found] / either[found]).mean())


def _numbers(outputs: InferenceOutputs, target: Any) -> Kept:  # numbers in some form
    """One output number per sample, and its target."""
    predicted, true = outputs[0].reshape(-1), np.asarray(target, np.float64).reshape(-1)
    if len(predicted) != len(outputs[0]) or len(predicted) != len(true):
        msg = (
            f"outputs of the shape {outputs[0].shape} beside targets of the shape {np.shape(target)}: one number per "
            "sample is needed."
        )
        raise MetricError(msg)
    if not np.isfinite(true).all():
        msg = f"a target is {true[~np.isfinite(true)][0]}: finite numbers are needed."
        raise MetricError(msg)
    return [predicted.astype(np.float64)], true


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    for name, values in (("outputs", one), ("targets", other)):
        if np.ptp(values) == 0:
            msg = f"all {name} are {values[0]:.6g}: a correlation needs numbers that differ."
            raise MetricError(msg)
    if len(one) < _FEWEST - 1:
        msg = f"a correlation needs at least {_FEWEST} samples: with two, it is always 1 or -1."
        raise MetricError(msg)
    return float(np.corrcoef(one, other)[0, 1])


def pearson(outputs: InferenceOutputs, targets: NDArray[np.float64]) -> float:
    """Linear correlation of the first output, one number per sample, with the targets."""
    return _correlation(outputs[0], targets)


def spearman(outputs: InferenceOutputs, targets: NDArray[np.float64]) -> float:
    """Rank correlation of the first output, one number per sample, with the targets."""
    from scipy.stats import rankdata

    return _correlation(rankdata(outputs[0]), rankdata(targets))


def _log_likelihoods(
    outputs: InferenceOutputs, target: Any, kind: OutputKind = OutputKind.LOGITS
) -> Kept:  # token numbers in some form
    """Summed log-likelihood and number of the tokens that are scored."""
    values, labels = outputs[0], np.asarray(target)
    if values.ndim < 2 or labels.size * values.shape[-1] != values.size:
        msg = (
            f"targets of the shape {labels.shape} beside logits of the shape {values.shape}: one token per position "
            f"is needed, the one that follows it, or {IGNORED}."
        )
        raise MetricError(msg)
    if values.shape[-1] == 1:
        msg = f"logits of the shape {values.shape} have one token only, whose probability is always 1."
        raise MetricError(msg)
    tokens = class_numbers(labels, values.shape[:-1], values.shape[-1], ignored=IGNORED)
    scored = tokens != IGNORED
    found = log_probabilities(values, np.where(scored, tokens, 0), kind)
    return [np.array([found[scored].sum()])], np.array([scored.sum()])


def negative_perplexity(outputs: InferenceOutputs, counts: NDArray[np.int64]) -> float:
    """Minus the exponential of the mean negative log-likelihood per token."""
    if not counts.sum():
        msg = f"all labels are {IGNORED}, which leaves none to score."
        raise MetricError(msg)
    return -float(np.exp(-outputs[0].sum() / counts.sum()))


def _of_kinds(name: str, compute: Callable[..., float], keep: Callable[..., Kept]) -> CorpusMetric:
    """A metric that keeps different numbers for outputs of each kind."""
    return CorpusMetric(
        name, compute, keep=keep, kinds=lambda kind: CorpusMetric(name, compute, keep=partial(keep, kind=kind))
    )


CORPUS_METRICS: dict[str, CorpusMetric] = {
    metric.name: metric
    for metric in (
        _of_kinds("f1_macro", f1_macro, _classes),
        CorpusMetric("pearson", pearson, keep=_numbers),
        CorpusMetric("spearman", spearman, keep=_numbers),
        _of_kinds("negative_perplexity", negative_perplexity, _log_likelihoods),
    )
}
