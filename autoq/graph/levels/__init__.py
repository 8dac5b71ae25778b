"""Units of groups: their members have one precision."""

from autoq.graph.levels._levels import units

__all__ = [
    "units",
]
