"""Scorers of scikit-learn by name, on a model's outputs. Imported only when such a name is used."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer, get_scorer_names

from autoq.core import MetricError
from autoq.evaluation.metrics._corpus import CorpusMetric, Kept, as_rows
from autoq.evaluation.metrics._labels import class_numbers
from autoq.evaluation.metrics._metrics import InferenceOutputs
from autoq.evaluation.metrics._output_kind import OutputKind

# scikit-learn does not say whether a scorer is for numbers or for classes, but the names tell.
_OF_NUMBERS = ("r2", "explained_variance")
_OF_NUMBERS_PARTS = ("_error", "_deviance")
# Scorers that compare two clusterings, in which the numbers of clusters are arbitrary.
_OF_GROUPS = ("rand_score", "mutual_info", "completeness", "homogeneity", "v_measure", "fowlkes")
_TOP = 2


def sklearn_names() -> list[str]:
    """Names that `sklearn_metric` takes."""
    return list(get_scorer_names())


def sklearn_metric(name: str) -> CorpusMetric:
    """A scorer as a metric of the first output.

    Scorers of classes get the largest logit, its index, or probabilities, as they need. Several outputs are the logits
    or the probabilities of as many classes, and a single one belongs to class 1. If the targets have one column per
    output, each column is a label of its own; if the outputs of a sample are probabilities that add up to one, the
    targets are one-hot.
    """

    def of(kind: OutputKind) -> CorpusMetric:
        return CorpusMetric(name, partial(_score, name, kind), keep=_first)

    return replace(of(OutputKind.LOGITS), kinds=of)


def _score(name: str, kind: OutputKind, outputs: InferenceOutputs, targets: NDArray[Any]) -> Any:  # a number
    scorer = get_scorer(name)
    values = outputs[0].reshape(len(outputs[0]), -1)
    true = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
    columns = values.shape[1]
    if name in _OF_NUMBERS or any(part in name for part in _OF_NUMBERS_PARTS):
        return scorer(_Numbers(), values[:, 0] if columns == 1 else values, true)
    if true.ndim == 2 and kind is not OutputKind.PROBABILITIES:
        return scorer(_MultiLabel(columns, kind), values, true)
    if name == "top_k_accuracy" and columns <= _TOP:
        msg = f"the target is always among the two likeliest of {max(columns, 2)} classes: use 'accuracy'."
        raise MetricError(msg)
    if not any(part in name for part in _OF_GROUPS):
        true = class_numbers(true, (len(values),), columns)
    return scorer(_Classes(columns, kind), values, true)


def _first(outputs: InferenceOutputs, target: Any) -> Kept:  # whatever the user's data hold
    return as_rows(outputs[:1], target)


class _Numbers(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """The outputs are the predictions."""

    def predict(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return outputs


class _Classes(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Outputs [n, columns] are logits or probabilities of classes; a single column belongs to class 1."""

    def __init__(self, columns: int, kind: OutputKind) -> None:
        self.columns = columns
        self.kind = kind
        self.classes_ = np.arange(max(columns, 2))

    def predict(self, outputs: NDArray[Any]) -> NDArray[np.int64]:
        if self.columns > 1:
            return np.asarray(outputs.argmax(axis=1))
        return np.asarray(outputs[:, 0] > self.kind.threshold, np.int64)

    def predict_proba(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        values = outputs.astype(np.float64)
        if self.columns == 1:
            one = special.expit(values[:, 0]) if self.kind is OutputKind.LOGITS else np.clip(values[:, 0], 0, 1)
            return np.stack([1 - one, one], axis=1)
        if self.kind is OutputKind.PROBABILITIES:
            # Probabilities of an int8 model may leave [0, 1] by a little, and may not add up to one.
            shares = np.maximum(values, 0)
            return np.asarray(shares / shares.sum(axis=1, keepdims=True))
        return np.asarray(special.softmax(values, axis=1))

    def decision_function(self, outputs: NDArray[Any]) -> NDArray[Any]:
        if self.columns == 1:
            return outputs[:, 0]
        return outputs[:, 1] - outputs[:, 0] if self.columns == 2 else outputs


class _MultiLabel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Outputs [n, columns] are a logit or a probability of each label."""

    def __init__(self, columns: int, kind: OutputKind) -> None:
        self.columns = columns
        self.kind = kind
        self.classes_ = np.tile([0, 1], (columns, 1))

    def predict(self, outputs: NDArray[Any]) -> NDArray[np.int64]:
        return np.asarray(outputs > self.kind.threshold, np.int64)

    def decision_function(self, outputs: NDArray[Any]) -> NDArray[Any]:
        return outputs

    def predict_proba(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        values = outputs.astype(np.float64)
        return np.asarray(special.expit(values) if self.kind is OutputKind.LOGITS else np.clip(values, 0, 1))
