"""The result of the analysis: which channels of a model can go together, and why the others stay."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
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
        products: Multiplications of one inference; open axes have a length that is the same for all layers.
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
    products: int


@dataclass(frozen=True, slots=True)
class BranchExit:
    """A layer by which a branch ends.

    Attributes:
        op: The layer. Without the branch it gives the same for all inputs.
        ends: Operations whose output is then the same for all inputs, each with an input by which it meets a tensor
            that is not: the sum with a residual stream, for example, or the product with what a gate opens.
    """

    op: str
    ends: tuple[tuple[str, PortKey], ...]


@dataclass(frozen=True, slots=True)
class ChannelBranch:
    """What a model is without where all channels of a group go: constants are read in its place.

    Attributes:
        exits: The layers by which it ends.
        ops: All operations that are gone then, but for constants.
    """

    exits: tuple[BranchExit, ...]
    ops: frozenset[str]


@dataclass(frozen=True, slots=True)
class ChannelGroup:
    """Channels of which each can go, from all of the layers that make them together.

    Attributes:
        name: The first layer that makes them.
        producers: All layers that make them, in topological order.
        consumers: Layers that read them.
        parts: Their numbers, by the tensors that they stand in: those of each half of a Split, for example. One may be
            several channels of a layer, which only go together: a head, for example.
        width: Channels of the first layer.
        each: Channels of the first layer that one of the numbers stands for; the fewest, if they differ.
        branch: What goes where all of the channels go; None if at least one of each part must stay.
    """

    name: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    parts: tuple[tuple[int, ...], ...]
    width: int
    each: int
    branch: ChannelBranch | None = None

    __repr__ = brief_repr

    @property
    def channels(self) -> tuple[int, ...]:
        """Numbers of all parts, in ascending order."""
        return tuple(sorted(number for part in self.parts for number in part))


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

    def read_by(self, layer: ChannelLayer) -> NDArray[np.int64]:
        """Numbers of the channels that a layer reads, by position; empty if all stay."""
        axes = self.reads.get((layer.op, layer.port))
        own = None if axes is None else axes[layer.axis]
        return np.empty(0, np.int64) if own is None else own

    def ended(self, removed: Collection[int]) -> list[ChannelBranch]:
        """Branches that go with channels: those of groups all of whose channels go."""
        gone = frozenset(removed)
        return [one.branch for one in self.groups if one.branch is not None and gone.issuperset(one.channels)]

    def products_left(self, removed: Collection[int]) -> float:
        """Share of the multiplications of all layers that is left without some channels."""
        gone = np.array(sorted(removed), np.int64)
        ended = {op for branch in self.ended(removed) for op in branch.ops}
        left = 0.0
        for layer in self.layers:
            if layer.op in ended:
                continue
            axes = self.reads.get((layer.op, layer.weight_port), ())
            kept = [float(np.isin(own, gone, invert=True, kind="table").mean()) for own in axes if own is not None]
            left += layer.products * math.prod(kept)
        return left / max(sum(layer.products for layer in self.layers), 1)
