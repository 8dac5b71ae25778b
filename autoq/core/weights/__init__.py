"""Formats of compressed weights, and plans of them."""

from autoq.core.weights._format import CB4, PER_CHANNEL, NumberFamily, WeightFormat, WeightMode
from autoq.core.weights._plan import CompressionPlan
from autoq.core.weights._recipe import BackupMode, CompressionRecipe, GroupSizeFallback, SensitivityMetric
from autoq.core.weights._rounding import Objective, Rounding

__all__ = [
    "CB4",
    "PER_CHANNEL",
    "BackupMode",
    "CompressionPlan",
    "CompressionRecipe",
    "GroupSizeFallback",
    "NumberFamily",
    "Objective",
    "Rounding",
    "SensitivityMetric",
    "WeightFormat",
    "WeightMode",
]
