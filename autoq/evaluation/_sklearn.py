"""scikit-learn's scorers, which score an estimator: a model's outputs stand for one that has already answered."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from autoq.evaluation._corpus import CorpusMetric
from autoq.evaluation._metrics import Outputs

# Probabilities may miss a sum of one by what 16-bit floats round.
_SUM_TOLERANCE = 1e-2


def sklearn_names() -> list[str]:
    """Names of the scorers that scikit-learn has."""
    from sklearn.metrics import get_scorer_names

    return list(get_scorer_names())


def sklearn_metric(name: str) -> CorpusMetric:
    """A scorer by its name; errors are negative, as scikit-learn has them, so that higher is better."""
    return CorpusMetric(name, partial(_scored, name))


def _scored(name: str, outputs: Outputs, targets: NDArray[Any]) -> float:
    from sklearn.metrics import get_scorer

    wanted = np.asarray(targets)
    if wanted.ndim > 1 and wanted.shape[1:] == (1,) * (wanted.ndim - 1):
        wanted = wanted.reshape(len(wanted))
    return float(get_scorer(name)(_answered(outputs[0], wanted), np.empty((len(wanted), 1)), wanted))


def _answered(output: NDArray[Any], targets: NDArray[Any]) -> Any:  # an estimator of scikit-learn
    """An estimator whose answers are these outputs.

    1. Integer targets and several outputs: a classifier; the outputs are logits, or probabilities where they are.
    2. Targets of 0 and 1 and one output: a classifier of two classes; the output is a logit, or a probability.
    3. Else a regressor.
    """
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    values = np.asarray(output, np.float64).reshape(len(output), -1)
    classes = targets.dtype.kind in "iub" and targets.ndim == 1
    if classes and values.shape[1] > 1:
        rows_are_shares = values.min() >= 0 and np.allclose(values.sum(axis=1), 1, atol=_SUM_TOLERANCE)
        shares = values if rows_are_shares else special.softmax(values, axis=1)
        decision = values if values.shape[1] > 2 else values[:, 1] - values[:, 0]
    elif classes and np.isin(targets, (0, 1)).all():
        column = values[:, 0]
        are_shares = column.min() >= 0 and column.max() <= 1
        share = column if are_shares else special.expit(column)
        shares, decision = np.stack([1 - share, share], axis=1), column
    else:
        answers = values[:, 0] if values.shape[1] == 1 else values

        class Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
            def __sklearn_is_fitted__(self) -> bool:
                return True

            def predict(self, _: object) -> NDArray[np.float64]:
                return np.asarray(answers)

        return Regressor()

    class Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
        classes_ = np.arange(shares.shape[1])

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def predict(self, _: object) -> NDArray[np.int64]:
            return np.asarray(shares.argmax(axis=1))

        def predict_proba(self, _: object) -> NDArray[np.float64]:
            return np.asarray(shares / shares.sum(axis=1, keepdims=True))

        def decision_function(self, _: object) -> NDArray[np.float64]:
            return np.asarray(decision)

    return Classifier()
