"""A metric from what a user brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autoq.core import MetricError, nearest
from autoq.evaluation._corpus import CorpusMetric
from autoq.evaluation._corpus_metrics import CORPUS_METRICS
from autoq.evaluation._metrics import METRICS, Metric
from autoq.evaluation._sklearn import sklearn_metric, sklearn_names
from autoq.evaluation._stateful import is_stateful, stateful_metric

AnyMetric = Metric | CorpusMetric


def resolve_metric(metric: str | AnyMetric | Callable[..., Any] | object) -> AnyMetric:
    """A metric by name, or what a user has as one.

    Args:
        metric: One of these.

            1. A name of ours: of a score per sample, `METRICS`, or of a whole corpus, `CORPUS_METRICS`.
            2. A name of one of scikit-learn's scorers, `sklearn.metrics.get_scorer_names()`.
            3. An object with `update(preds, target)` and `compute()`, as torchmetrics has them.
            4. A function `(outputs, targets) -> scores`, called with the list of output arrays and the target of one
               inference at a time.
            5. A `Metric` or a `CorpusMetric`.

    Raises:
        MetricError: It is none of these.
    """
    if isinstance(metric, Metric | CorpusMetric):
        return metric
    if isinstance(metric, str):
        return _by_name(metric)
    if is_stateful(metric):
        return stateful_metric(metric)
    if not callable(metric):
        msg = (
            f"metric is a {type(metric).__name__}: pass a name, a callable (outputs, targets) -> scores, or an object "
            "with update and compute."
        )
        raise MetricError(msg)
    return Metric(getattr(metric, "__name__", type(metric).__name__), metric, joined=False)


def _by_name(name: str) -> AnyMetric:
    if name in METRICS:
        return Metric(name, METRICS[name])
    if name in CORPUS_METRICS:
        return CORPUS_METRICS[name]
    if name in (known := sklearn_names()):
        return sklearn_metric(name)
    msg = f"metric {name!r} is unknown: {nearest(name, [*METRICS, *CORPUS_METRICS, *known])}"
    raise MetricError(msg)
