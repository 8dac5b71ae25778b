"""The metric of a call: it scores outputs, or the user's function scores a compiled model."""

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
        metric: What `resolve_metric` takes, or None.
        function: `(compiled_model, items) -> score`, or None.
        called: Name of the function's parameter.

    Raises:
        ConfigError: Neither or both are given.
        MetricError: `metric` is not a metric.
    """
    if (metric is None) == (function is None):
        msg = f"pass either metric, a name or a function of outputs, or {called}, (compiled_model, items) -> score."
        raise ConfigError(msg)
    return None if metric is None else resolve_metric(metric)
