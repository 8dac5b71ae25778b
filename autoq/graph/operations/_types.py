"""The result of placement: the sites of quantizers, their groups, and the reasons why other operations have none.

Names of operations are *unique* names (`unique_names`): the friendly name, with a suffix where the model repeats one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from autoq.core import brief_repr

# A body of an operation: unique name of the operation, and its branch.
BodyKey = tuple[str, int]


@dataclass(frozen=True, slots=True, order=True)
class Tensor:
    """One output of one operation.

    Attributes:
        producer: Unique name of the operation.
        port: Index of its output.
    """

    producer: str
    port: int = 0


class SiteKind(StrEnum):
    """The kind of a quantized tensor."""

    ACTIVATION = "activation"
    WEIGHT = "weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizerSite:
    """One position of a FakeQuantize.

    Attributes:
        name: Name of the FakeQuantize: `{op}/fq_output_{port}`, `{op}/fq_input_{port}` or `{op}/fq_weights_{port}`.
        kind: Activation or weight.
        tensor: The quantized tensor.
        consumers: `(op, input port)` of every edge that reads the quantized tensor; other edges stay in float.
        sinks: Operations that run on its values: the consumers, or operations after consumers that only move values.
        shape: Shape of the tensor; -1 for a dynamic axis.
        channel_axes: Axes along which limits differ; empty is per tensor.
        symmetric: Whether the scheme is symmetric under each preset.
        unified: Sites with the same value share one range (the inputs of a Concat); None shares with none.
        first_layer: Whether it is a weight of the first convolution after a model input, which
            `OverflowFix.FIRST_LAYER` halves.
        full_range: Whether the weight takes the place of an activation, and has the scheme of its quantizer.
        non_negative: Whether the minimum is known to be at least zero (the producer is a ReLU, Sigmoid, ...).
    """

    name: str
    kind: SiteKind
    tensor: Tensor
    consumers: tuple[tuple[str, int], ...]
    sinks: tuple[str, ...]
    shape: tuple[int, ...]
    channel_axes: tuple[int, ...] = ()
    symmetric: bool = False
    unified: str | None = None
    first_layer: bool = False
    full_range: bool = False
    non_negative: bool = False


@dataclass(frozen=True, slots=True)
class QuantizerGroup:
    """Sites that must share a precision: the unit of search.

    The bodies of an operation (If, Loop, TensorIterator) are one group with the name of the operation. Its sites stand
    in the graphs of the bodies.

    Attributes:
        name: Name of the first operation, in topological order, whose inputs the group quantizes.
        sites: Names of its sites; empty for bodies.
        ops: Operations whose inputs the group quantizes.
    """

    name: str
    sites: tuple[str, ...]
    ops: tuple[str, ...]

    __repr__ = brief_repr


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedLayer:
    """A Convolution, GroupConvolution, their backprop forms, or a MatMul with a constant weight.

    Attributes:
        op: The operation.
        type: Its OpenVINO type.
        input: Activation that it reads in the float model.
        input_axis: Channel axis of the input (negative counts from the last).
        output_axis: Channel axis of the output (negative counts from the last).
        weight: Name of the weight's site.
        weight_port: Input port of the weight.
        bias_add: The Add of the bias; None without a bias.
        bias: Constant (or the Convert above it) that holds the bias.
        bias_port: Input port of `bias` on `bias_add`.
    """

    op: str
    type: str
    input: Tensor
    input_axis: int
    output_axis: int
    weight: str
    weight_port: int
    bias_add: str | None = None
    bias: str | None = None
    bias_port: int | None = None

    @property
    def output(self) -> Tensor:
        """The output of the layer, after its bias if it has one."""
        return Tensor(self.op if self.bias_add is None else self.bias_add)


@dataclass(frozen=True, slots=True)
class Decision:
    """The reason why an operation is quantized or not.

    Attributes:
        op: The operation.
        type: Its OpenVINO type.
        quantized: Whether a quantizer stands on any of its inputs.
        reason: The reason in one sentence.
        fused_into: The operation into which the runtime probably fuses it; None if it is not fused.
    """

    op: str
    type: str
    quantized: bool
    reason: str
    fused_into: str | None = None


@dataclass(frozen=True)
class QuantizationGraph:
    """Sites and groups of one model on one target.

    Attributes:
        sites: In topological order of the tensors.
        groups: In topological order of their first operation; every site is in exactly one.
        layers: Weighted layers that have a weight site, in topological order.
        decisions: One for each operation that is not a constant, a parameter or a result.
        alignable: Pairs of layers between which channel alignment may move scales and shifts.
        bodies: Graphs of the bodies in which something may be quantized.
    """

    sites: tuple[QuantizerSite, ...]
    groups: tuple[QuantizerGroup, ...]
    layers: tuple[WeightedLayer, ...]
    decisions: tuple[Decision, ...]
    alignable: tuple[tuple[WeightedLayer, WeightedLayer], ...] = ()
    bodies: Mapping[BodyKey, QuantizationGraph] = field(default_factory=dict)

    __repr__ = brief_repr

    @cached_property
    def site(self) -> dict[str, QuantizerSite]:
        """Site by name."""
        return {site.name: site for site in self.sites}

    @cached_property
    def group_of(self) -> dict[str, QuantizerGroup]:
        """Group by the name of a site."""
        return {site: group for group in self.groups for site in group.sites}

    @property
    def body_groups(self) -> frozenset[str]:
        """Names of the groups that stand for bodies."""
        return frozenset(op for op, _ in self.bodies)

    @property
    def activations(self) -> tuple[QuantizerSite, ...]:
        """Sites on activations."""
        return tuple(site for site in self.sites if site.kind is SiteKind.ACTIVATION)

    @property
    def weights(self) -> tuple[QuantizerSite, ...]:
        """Sites on weights."""
        return tuple(site for site in self.sites if site.kind is SiteKind.WEIGHT)
