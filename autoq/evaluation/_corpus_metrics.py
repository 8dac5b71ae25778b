"""Metrics of a whole data set by name; of each inference no more is kept than they need."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from autoq.evaluation._corpus import CorpusMetric, Kept
from autoq.evaluation._metrics import Outputs, log_probabilities

# A position with this label is not scored: padding, a prompt.
_IGNORED = -100


def _classes(outputs: Outputs, target: Any) -> Kept:  # class numbers in some form
    """Predicted and true class of each position: the largest of several logits, or the sign of the only one."""
    logits = outputs[0]
    predicted = logits.argmax(axis=-1) if logits.shape[-1] > 1 else logits[..., 0] > 0
    labels = np.asarray(target)
    if labels.size != predicted.size:
        msg = f"{labels.size} targets for {predicted.size} predictions: one class number each is needed."
        raise ValueError(msg)
    labels = labels.astype(np.int64).reshape(-1)
    scored = labels != _IGNORED
    return [predicted.reshape(-1)[scored].astype(np.int64)], labels[scored]


def f1_macro(outputs: Outputs, targets: NDArray[np.int64]) -> float:
    """Mean of the F1 of each class that is predicted or true somewhere."""
    predicted = outputs[0]
    classes = int(max(predicted.max(), targets.max())) + 1
    both = np.bincount(targets[predicted == targets], minlength=classes)
    either = np.bincount(targets, minlength=classes) + np.bincount(predicted, minlength=classes)
    found = either > 0
    return float((2 * both[found] / either[found]).mean())


def _numbers(outputs: Outputs, target: Any) -> Kept:  # numbers in some form
    """One number per sample, and what it should be."""
    predicted, true = outputs[0].reshape(-1), np.asarray(target, np.float64).reshape(-1)
    if len(predicted) != len(outputs[0]) or len(predicted) != len(true):
        msg = (
            f"outputs of the shape {outputs[0].shape} beside targets of the shape {np.shape(target)}: one number per "
            "sample is needed."
        )
        raise ValueError(msg)
    return [predicted.astype(np.float64)], true


def pearson(outputs: Outputs, targets: NDArray[np.float64]) -> float:
    """Linear correlation of the first output, one number per sample, with the targets."""
    return float(np.corrcoef(outputs[0], targets)[0, 1])


def spearman(outputs: Outputs, targets: NDArray[np.float64]) -> float:
    """Rank correlation of the first output, one number per sample, with the targets."""
    return float(np.corrcoef(stats.rankdata(outputs[0]), stats.rankdata(targets))[0, 1])


def _log_likelihoods(outputs: Outputs, target: Any) -> Kept:  # token numbers in some form
    """Summed log-likelihood and number of the tokens that are scored."""
    logits = outputs[0]
    labels = np.asarray(target)
    if labels.size != logits.size // logits.shape[-1]:
        msg = (
            f"targets of the shape {labels.shape} beside logits of the shape {logits.shape}: one token per position "
            f"is needed, the one that follows it, or {_IGNORED}."
        )
        raise ValueError(msg)
    labels = labels.astype(np.int64).reshape(logits.shape[:-1])
    scored = labels != _IGNORED
    found = log_probabilities(logits, np.where(scored, labels, 0))
    return [np.array([found[scored].sum()])], np.array([scored.sum()])


def negative_perplexity(outputs: Outputs, counts: NDArray[np.int64]) -> float:
    """Minus the exponential of the mean negative log-likelihood per token."""
    return -float(np.exp(-outputs[0].sum() / counts.sum()))


CORPUS_METRICS: dict[str, CorpusMetric] = {
    metric.name: metric
    for metric in (
        CorpusMetric("f1_macro", f1_macro, keep=_classes),
        CorpusMetric("pearson", pearson, keep=_numbers),
        CorpusMetric("spearman", spearman, keep=_numbers),
        CorpusMetric("negative_perplexity", negative_perplexity, keep=_log_likelihoods),
    )
}
