"""The channels of a model: which can go, and why the others stay."""

from autoq.graph.channels._find import find_channels
from autoq.graph.channels._shape_values import cut_of, spelled_shape
from autoq.graph.channels._types import (
    ChannelAxes,
    ChannelBranch,
    ChannelGraph,
    ChannelGroup,
    ChannelLayer,
    FixedChannels,
    PortKey,
)

__all__ = [
    "ChannelAxes",
    "ChannelBranch",
    "ChannelGraph",
    "ChannelGroup",
    "ChannelLayer",
    "FixedChannels",
    "PortKey",
    "cut_of",
    "find_channels",
    "spelled_shape",
]
