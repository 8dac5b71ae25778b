"""Intervals and means of plain numbers."""

from autoq.evaluation.statistics._quantiles import normal_quantile, t_quantile, wilson_interval
from autoq.evaluation.statistics._tango import tango_interval
from autoq.evaluation.statistics._trimmed_mean import trimmed_mean

__all__ = [
    "normal_quantile",
    "t_quantile",
    "tango_interval",
    "trimmed_mean",
    "wilson_interval",
]
