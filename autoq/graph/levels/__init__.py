"""Groups that are searched as one unit."""

from autoq.graph.levels._levels import units

__all__ = [
    "units",
]
