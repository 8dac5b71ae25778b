"""Finds the constant weights of a model, in NNCF's order and with NNCF's rules.

1. An operation that the table of operations calls compressed reads a weight at a weight port, if the value there
   depends on no input and comes from a float Constant through Converts, Reshapes and quantizers alone.
2. A Constant with several readers is one weight, of its first reader.
3. Weights of operations in the scope that the caller gives stay in float; so does what is computed from positions.
4. Weights of matrix products define the ratio of a mix, without the last one. With all layers, the last one does too,
   and so do tables of embeddings with one reduced axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import openvino as ov

from autoq.core import brief_repr
from autoq.graph.flow import POSITIONS, Flow, find
from autoq.graph.operations import (
    FLOAT_TYPES,
    NARROW_TYPES,
    Family,
    IgnoredScope,
    Operation,
    Samples,
    channel_axes,
    operation,
)
from autoq.graph.weights._order import reading_order

_EIGHT_BIT_FLOATS = frozenset({"f8e4m3", "f8e5m2"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One constant weight.

    Attributes:
        name: Name of the operation that reads it first; plans name the weight so.
        type: OpenVINO type of that operation.
        port: Input port of that operation.
        constant: Unique name of the Constant.
        shape: Shape of the Constant.
        element_type: OpenVINO type of its numbers.
        axes: Reduced axes: numbers along them may share a scale.
        readers: Operation and input port of every operation that reads it as a weight.
        is_embedding: Whether it is the table of an embedding.
        defines_ratio: Whether it counts for the ratio of a mix, and takes its primary mode.
        reason: Why it stays in float; None if it need not.
    """

    name: str
    type: str
    port: int
    constant: str
    shape: tuple[int, ...]
    element_type: str
    axes: tuple[int, ...]
    readers: tuple[tuple[str, int], ...] = ()
    is_embedding: bool = False
    defines_ratio: bool = False
    reason: str | None = None

    @property
    def size(self) -> int:
        """Count of its numbers."""
        return math.prod(self.shape)

    @property
    def length(self) -> int:
        """Count of its numbers along the reduced axis, or axes."""
        return math.prod(self.shape[axis] for axis in self.axes)

    @property
    def has_eight_bits(self) -> bool:
        """Whether its numbers are floating point numbers of 8 bits already."""
        return self.element_type in _EIGHT_BIT_FLOATS


@dataclass(frozen=True)
class Weights:
    """The weights of a model.

    Attributes:
        every: All of them, in the order in which they are read.
        compressed_already: Whether the model holds weights of few bits already.
    """

    every: tuple[Weight, ...]
    compressed_already: bool = False

    __repr__ = brief_repr

    @cached_property
    def by_name(self) -> dict[str, Weight]:
        """Weight by name."""
        return {weight.name: weight for weight in self.every}

    @property
    def compressible(self) -> tuple[Weight, ...]:
        """Those that need not stay in float."""
        return tuple(weight for weight in self.every if weight.reason is None)


def find_weights(model: ov.Model, scope: IgnoredScope | None = None, *, all_layers: bool = False) -> Weights:
    """Finds the weights of a model. Bodies of If, Loop and TensorIterator are not looked into.

    Args:
        model: The model; never modified.
        scope: Operations, or Constants, whose weights stay in float.
        all_layers: Whether the last matrix product and the tables of embeddings define the ratio too.

    Raises:
        PlanError: A rule of the scope matches nothing.
    """
    flow = Flow.of(model)
    name_of = {str(op.get_name()): name for name, op in flow.nodes.items()}
    order, reached = reading_order(model, name_of)
    reasons = _reasons(flow, scope)
    places = [(name, port) for name in order for port in _weight_ports(flow.nodes[name], name, reached, name_of)]
    found: dict[str, Weight] = {}
    last_is_out = False
    for name, port in places:
        constant = stored_constant(flow.nodes[name].input_value(port))
        if constant is None:
            continue
        key, is_last = name_of[str(constant.get_name())], name == places[-1][0]
        known = found.get(key)
        if known is not None and known.reason is None:
            found[key] = replace(known, readers=(*known.readers, (name, port)))
            last_is_out = is_last
            continue
        weight = _weight(flow.nodes[name], name, port, constant, key)
        reason = reasons.get(name) or reasons.get(key) or weight.reason
        readers = (*(known.readers if known else ()), (name, port))
        found[key] = replace(weight, readers=readers, reason=reason)
        last_is_out = is_last and reason is not None
    place = {read: number for number, read in enumerate(places)}
    weights = sorted(found.values(), key=lambda weight: place[weight.name, weight.port])
    marked = tuple(_marked(weights, last_is_out=last_is_out, all_layers=all_layers))
    return Weights(marked, any(map(_holds_few_bits, flow.nodes.values())))


def _reasons(flow: Flow, scope: IgnoredScope | None) -> dict[str, str]:
    """Why weights of an operation, or a Constant, stay in float."""
    found = {op: f"{match.pattern.name}: angles need all digits" for match in find(flow, POSITIONS) for op in match.ops}
    if scope is None:
        return found
    types = {name: op.get_type_name() for name, op in flow.nodes.items()}
    return found | scope.resolve(types, flow.readers)


def _weight_ports(op: ov.Node, name: str, reached: frozenset[str], name_of: Mapping[str, str]) -> Iterator[int]:
    """Input ports of an operation where weights may be: those that depend on no input."""
    row = operation(op.get_type_name())
    if not row.compressed or name not in reached:
        return
    for port in row.weight_ports:
        value = op.input_value(port)
        if name_of[str(value.get_node().get_name())] not in reached and _reads_weight(row, value):
            yield port


def _reads_weight(row: Operation, value: ov.Output) -> bool:
    constant = stored_constant(value)
    if constant is None or constant.get_element_type().get_type_name() not in FLOAT_TYPES | _EIGHT_BIT_FLOATS:
        return False
    return not _is_embedding(row) or value.get_element_type().get_type_name() in FLOAT_TYPES


def stored_constant(value: ov.Output) -> ov.Node | None:
    """The Constant of a value, through operations that only wrap or quantize it; None for other values."""
    node = value.get_node()
    while (row := operation(node.get_type_name())).wraps_weight or row.quantizer:
        node = node.input_value(0).get_node()
    return node if node.get_type_name() == "Constant" else None


def _weight(op: ov.Node, name: str, port: int, constant: ov.Node, key: str) -> Weight:
    row, shape = operation(op.get_type_name()), tuple(constant.get_output_shape(0))
    kept = channel_axes(op, port)
    axes = tuple(axis for axis in range(len(shape)) if axis not in kept)
    reason = None
    if tuple(op.input_value(port).get_shape()) != shape:
        reason = "it is read in another shape than it is stored in"
    elif not axes:
        reason = "no two of its numbers may share a scale"
    elif 0 in shape:
        reason = "it is empty"
    return Weight(
        name=name,
        type=op.get_type_name(),
        port=port,
        constant=key,
        shape=shape,
        element_type=constant.get_element_type().get_type_name(),
        axes=axes,
        is_embedding=_is_embedding(row),
        reason=reason,
    )


def _is_embedding(row: Operation) -> bool:
    return row.samples is Samples.LOOKUP


def _marked(weights: Iterable[Weight], *, last_is_out: bool, all_layers: bool) -> Iterator[Weight]:
    """The weights, of which those that define the ratio are marked."""
    weights = tuple(weights)
    products = [
        weight.name
        for weight in weights
        if weight.reason is None and operation(weight.type).family is Family.PRODUCT and not weight.is_embedding
    ]
    if not all_layers and not last_is_out:
        products = products[:-1]
    defining = frozenset(products)
    for weight in weights:
        is_table = all_layers and weight.is_embedding and len(weight.axes) == 1 and weight.reason is None
        yield replace(weight, defines_ratio=weight.name in defining or is_table)


def _holds_few_bits(op: ov.Node) -> bool:
    """Whether an operation is a Constant of few bits that becomes a float."""
    if op.get_type_name() != "Constant" or op.get_element_type().get_type_name() not in NARROW_TYPES:
        return False
    readers = [target.get_node() for target in op.output(0).get_target_inputs()]
    return any(reader.get_element_type().get_type_name() in FLOAT_TYPES for reader in readers)
