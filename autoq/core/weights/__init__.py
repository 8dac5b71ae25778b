"""Formats of compressed weights."""

from autoq.core.weights._format import CB4, PER_CHANNEL, NumberFamily, WeightFormat, WeightMode

__all__ = ["CB4", "PER_CHANNEL", "NumberFamily", "WeightFormat", "WeightMode"]
