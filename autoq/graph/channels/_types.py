"""The result of the analysis: which channels of a model can go together, and why the others stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autoq.core import brief_repr

# An input or an output of an operation: its unique name and the port.
PortKey = tuple[str, int]
# Channel numbers by position of each axis, -1 where channels stay; None for an axis of which all stays.
ChannelAxes = tuple[NDArray[np.int64] | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelLayer:
    """A convolution or matrix product with a constant weight: it reads channels and makes others.

    Attributes:
        op: Unique name.
        type: Its OpenVINO type.
        port: Input port of the data.
        axis: Axis of the channels that it reads, of its data.
        weight_port: Input port of the weight.
        weight_axis: Axis of the weight for the channels that it reads.
        weight_output_axes: Axes of the weight for the channels that it makes.
        output_axis: Axis of the channels that it makes, of its output.
        mixes: Whether each channel that it makes is a sum over all that it reads; a grouped convolution keeps groups
            apart.
    """

    op: str
    type: str
    port: int
    axis: int
    weight_port: int
    weight_axis: int
    weight_output_axes: tuple[int, ...]
    output_axis: int
    mixes: bool


@dataclass(frozen=True, slots=True)
class ChannelGroup:
    """Channels of which each can go, from all of the layers that make them together.

    Attributes:
        name: The first layer that makes them.
        producers: All layers that make them, in topological order.
        consumers: Layers that read them.
        channels: Their numbers. One may be several channels of a layer, which only go together: a head, for example.
        width: Channels of the first layer.
    """

    name: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    channels: tuple[int, ...]
    width: int

    __repr__ = brief_repr


@dataclass(frozen=True, slots=True)
class FixedChannels:
    """Channels that stay.

    Attributes:
        name: The layer that makes them.
        count: Their number.
        reason: Why they stay, in one sentence.
    """

    name: str
    count: int
    reason: str


@dataclass(frozen=True)
class ChannelGraph:
    """The channels of a model.

    Attributes:
        groups: In topological order of their first layers. A channel is in one group at most.
        fixed: Layers all or some of whose channels stay, in topological order.
        layers: All convolutions and matrix products with constant weights, in topological order.
        reads: Channel numbers of each input in which a channel can go. A Constant is sliced for each of its readers.
        makes: The same of each output.
        shapes: The shape that each Reshape asks for which has a channel that can go, see `spelled_shape`.
    """

    groups: tuple[ChannelGroup, ...]
    fixed: tuple[FixedChannels, ...]
    layers: tuple[ChannelLayer, ...]
    reads: Mapping[PortKey, ChannelAxes]
    makes: Mapping[PortKey, ChannelAxes]
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    __repr__ = brief_repr

    @cached_property
    def layer(self) -> dict[str, ChannelLayer]:
        """Layer by name."""
        return {layer.op: layer for layer in self.layers}

    def read_by(self, layer: ChannelLayer) -> NDArray[np.int64] | None:
        """Numbers of the channels that a layer reads, by position."""
        return _along(self.reads.get((layer.op, layer.port)), layer.axis)

    def made_by(self, layer: ChannelLayer) -> NDArray[np.int64] | None:
        """Numbers of the channels that a layer makes, by position."""
        return _along(self.makes.get((layer.op, 0)), layer.output_axis)


def _along(axes: ChannelAxes | None, axis: int) -> NDArray[np.int64] | None:
    return None if axes is None else axes[axis]
