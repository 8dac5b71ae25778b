"""Metrics that other packages offer, as entry points of the group `autoq.metrics`."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from autoq.core import MetricError, named_reason

GROUP = "autoq.metrics"


def offered_metrics() -> frozenset[str]:
    """Names of the metrics that installed packages offer."""
    return entry_points(group=GROUP).names  # type: ignore[return-value]  # a set


def offered_metric(name: str) -> Any:  # whatever resolve_metric takes
    """The metric that an installed package offers by this name.

    Raises:
        MetricError: The package cannot be imported, or does not have what it offers.
    """
    entry, *_ = entry_points(group=GROUP, name=name)
    try:
        return entry.load()
    except Exception as error:
        msg = f"metric {name!r} is offered as {entry.value!r}, which cannot be imported: {named_reason(error)}"
        raise MetricError(msg) from error
