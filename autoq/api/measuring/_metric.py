"""The metric of a call: one that scores outputs, or a function of the user's that scores a compiled model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autoq.core import ConfigError
from autoq.evaluation.metrics import AnyMetric, CorpusMetric, Metric, resolve_metric


def one_metric(
    metric: AnyMetric | None, function: Callable[..., Any] | None, *, called: str = "evaluate"
) -> Metric | CorpusMetric | None:
    """The metric; None where the user's function is to be used.

    Args:
        metric: Whatever `resolve_metric` takes, or None.
        function: `(compiled_model, items) -> score`, or None.
        called: Name of the parameter that the function is given as.

    Raises:
        ConfigError: Neither or both are given.
        MetricError: It is no metric.
    """
    if (metric is None) == (function is None):
        msg = f"pass either metric, a name or a function of outputs, or {called}, (compiled_model, items) -> score."
        raise ConfigError(msg)
    return None if metric is None else resolve_metric(metric)
