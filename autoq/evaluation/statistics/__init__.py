"""Intervals and means: pure numbers."""

from autoq.evaluation.statistics._tango import tango_interval
from autoq.evaluation.statistics._trimmed_mean import trimmed_mean

__all__ = [
    "tango_interval",
    "trimmed_mean",
]
