"""Metrics of a whole corpus that are at hand by name; higher is better."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from autoq.evaluation._corpus import CorpusMetric, Kept
from autoq.evaluation._metrics import Outputs, log_probabilities

# What datasets of text write where there is nothing to predict.
IGNORED_LABEL = -100


def macro_f1(outputs: Outputs, targets: NDArray[Any]) -> float:
    """Mean over classes of the F1 score, `2 TP / (2 TP + FP + FN)`, of those that occur as a target or an answer.

    Args:
        outputs: The answers, one array [n].
        targets: Target classes, [n].
    """
    answers, wanted = outputs[0], np.asarray(targets)
    count = int(max(answers.max(), wanted.max())) + 1
    hits = np.bincount(wanted[answers == wanted], minlength=count)
    both = np.bincount(answers, minlength=count) + np.bincount(wanted, minlength=count)
    occurs = both > 0
    return float(np.mean(2 * hits[occurs] / both[occurs]))


def spearman(outputs: Outputs, targets: NDArray[Any]) -> float:
    """Correlation of the ranks of the first output and the target, both [n]."""
    return float(stats.spearmanr(outputs[0], targets).statistic)


def pearson(outputs: Outputs, targets: NDArray[Any]) -> float:
    """Correlation of the first output and the target, both [n]."""
    return float(stats.pearsonr(outputs[0], targets).statistic)


def negative_perplexity(outputs: Outputs, _: object) -> float:
    """Minus the exponential of the mean negative log-likelihood of all tokens.

    Args:
        outputs: Per sequence, the sum of its tokens' log probabilities and their number, one array [n, 2].
    """
    total, count = outputs[0].sum(axis=0)
    return -float(np.exp(-total / count))


def _answers(outputs: Outputs, target: Any) -> Kept:
    """The class with the largest output, and the target class, for each position."""
    answers = outputs[0].argmax(axis=-1).reshape(-1)
    return [answers], np.asarray(target, np.int64).reshape(answers.shape)


def _numbers(outputs: Outputs, target: Any) -> Kept:
    """The first output and the target, one number for each sample."""
    numbers = outputs[0].reshape(-1).astype(np.float64)
    return [numbers], np.asarray(target, np.float64).reshape(numbers.shape)


def _likelihood(outputs: Outputs, target: Any) -> Kept:
    """Log probability of all of a sequence's tokens, and their number; logits are not kept."""
    labels = np.asarray(target, np.int64).reshape(outputs[0].shape[:-1])
    counted = labels != IGNORED_LABEL
    logs = log_probabilities(outputs[0], np.where(counted, labels, 0))
    row = np.array([[logs[counted].sum(), counted.sum()]], np.float64)
    return [row], np.zeros(1)


CORPUS_METRICS: dict[str, CorpusMetric] = {
    "f1": CorpusMetric("f1", macro_f1, keep=_answers),
    "spearman": CorpusMetric("spearman", spearman, keep=_numbers),
    "pearson": CorpusMetric("pearson", pearson, keep=_numbers),
    "negative_perplexity": CorpusMetric("negative_perplexity", negative_perplexity, keep=_likelihood),
}
