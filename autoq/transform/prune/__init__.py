"""Models without some of their channels."""

from autoq.transform.prune._remove import remove_channels

__all__ = ["remove_channels"]
