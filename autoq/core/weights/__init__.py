"""Formats of compressed weights, and plans of them."""

from autoq.core.weights._format import WeightFormat
from autoq.core.weights._mode import CB4, PER_CHANNEL, CodebookType, NumberFamily, WeightMode
from autoq.core.weights._plan import CompressionPlan
from autoq.core.weights._recipe import BackupMode, CompressionRecipe, GroupSizeFallback, SensitivityMetric
from autoq.core.weights._rounding import Objective, Rounding

__all__ = [
    "CB4",
    "PER_CHANNEL",
    "BackupMode",
    "CodebookType",
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
