"""The metric that a user's argument means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autoq.core import MetricError, nearest
from autoq.evaluation.metrics._corpus import CorpusMetric
from autoq.evaluation.metrics._corpus_metrics import CORPUS_METRICS
from autoq.evaluation.metrics._metrics import METRICS, Metric, named_metric
from autoq.evaluation.metrics._packages import offered_metric, offered_metrics
from autoq.evaluation.metrics._stateful import StatefulMetric, stateful_metric
from autoq.evaluation.metrics._to_float import TO_FLOAT

AnyMetric = str | Metric | CorpusMetric | StatefulMetric | Callable[..., Any]


def resolve_metric(metric: AnyMetric) -> Metric | CorpusMetric:
    """The metric of a name, or of an object or function that a user brings.

    Args:
        metric: One of

            1. a name of autoq's own, of another package (an entry point of the group `autoq.metrics`), or of a scorer
               of scikit-learn; a name that autoq and scikit-learn have means the same;
            2. an object with `update(preds, target)` and `compute()`, as torchmetrics has them;
            3. a function `(outputs, target) -> score`, called with the list of output arrays and the target of one
               inference;
            4. a `CorpusMetric`, computed from all samples together, or a `Metric`.

    Raises:
        MetricError: The name is unknown, or the argument is none of these.
    """
    return _named(metric) if isinstance(metric, str) else _brought(metric)


def _brought(metric: object) -> Metric | CorpusMetric:
    if isinstance(metric, Metric | CorpusMetric):
        return metric
    if isinstance(metric, type):
        msg = f"metric is the class {metric.__name__}: pass an object of it."
        raise MetricError(msg)
    if isinstance(metric, StatefulMetric):
        return stateful_metric(metric)
    if not callable(metric):
        msg = (
            f"metric is a {type(metric).__name__}: pass a name, a callable (outputs, target) -> score, a CorpusMetric, "
            "or an object with update and compute."
        )
        raise MetricError(msg)
    return Metric(getattr(metric, "__name__", type(metric).__name__), metric, joined=False)


def _named(name: str) -> Metric | CorpusMetric:
    if name in METRICS:
        return named_metric(name)
    if name in CORPUS_METRICS:
        return CORPUS_METRICS[name]
    if name in TO_FLOAT:
        return TO_FLOAT[name]
    offered = offered_metrics()
    if name in offered:
        return _brought(offered_metric(name))
    from autoq.evaluation.metrics._sklearn import sklearn_metric, sklearn_names

    theirs = sklearn_names()
    if name in theirs:
        return sklearn_metric(name)
    own = [*METRICS, *CORPUS_METRICS, *TO_FLOAT, *offered]
    tail = nearest(name, [*own, *theirs])
    if not tail.startswith("did you mean"):
        tail = f"autoq has {', '.join(sorted(own))}; scikit-learn's scorers can be named too."
    msg = f"metric {name!r} is unknown: {tail}"
    raise MetricError(msg)
