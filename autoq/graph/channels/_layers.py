"""The layers of a model that read channels and make others."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import openvino as ov

from autoq.graph.channels._types import ChannelLayer
from autoq.graph.operations import Family, Samples, operation
from autoq.graph.weights import stored_constant


def channel_layers(nodes: Mapping[str, ov.Node], probed: Mapping[str, ov.Node]) -> Iterator[ChannelLayer]:
    """Convolutions and matrix products with one constant operand, which is read in the shape that it is stored in.

    Args:
        nodes: Operation by unique name, in topological order.
        probed: The same operations with known shapes; none if no shapes are known.
    """
    for name, op in nodes.items():
        row = operation(op.get_type_name())
        if not row.sums_products or any(value.get_partial_shape().rank.is_dynamic for value in op.input_values()):
            continue
        constant = [port for port in row.weight_ports if _holds_weight(op.input_value(port))]
        if len(constant) == 1:
            after = probed[name].get_output_partial_shape(0) if probed else ov.PartialShape.dynamic()
            if row.family is Family.CONVOLUTION:
                yield _convolution(name, op, after)
            elif row.samples is Samples.PRODUCT and min(_rank(op, 0), _rank(op, 1)) > 1:
                yield _product(name, op, constant[0], after)


def _holds_weight(value: ov.Output) -> bool:
    constant = stored_constant(value)
    return constant is not None and bool(constant.get_output_partial_shape(0) == value.get_partial_shape())


def _products(op: ov.Node, weight_port: int, after: ov.PartialShape, axis: int) -> int:
    """Multiplications of an operation: the numbers of one of its matrices, by how often they are read."""
    if after.is_dynamic:
        return 0
    weight, shape = list(op.input_value(weight_port).get_shape()), list(after.to_shape())
    is_product = operation(op.get_type_name()).samples is Samples.PRODUCT
    matrix = weight[-2:] if is_product else weight
    return int(math.prod(matrix) * (math.prod(shape) // max(shape[axis], 1)))


def _convolution(name: str, op: ov.Node, after: ov.PartialShape) -> ChannelLayer:
    row = operation(op.get_type_name())
    *group, out = row.channel_axes or ()
    is_grouped = bool(group) and op.input_value(1).get_partial_shape()[0] != 1
    summed = next(axis for axis in range(len(group), len(group) + 2) if axis != out)
    return ChannelLayer(
        op=name,
        type=op.get_type_name(),
        port=0,
        axis=1,
        weight_port=1,
        weight_axis=0 if is_grouped else summed,
        weight_output_axes=(0, out) if is_grouped else (out,),
        output_axis=1,
        mixes=not is_grouped,
        products=_products(op, 1, after, 1),
    )


def _product(name: str, op: ov.Node, weight_port: int, after: ov.PartialShape) -> ChannelLayer:
    attributes, port = op.get_attributes(), 1 - weight_port
    ranks = _rank(op, 0), _rank(op, 1)
    # Axes that are summed over, and the others of the two last.
    summed = [-2 if attributes["transpose_a"] else -1, -1 if attributes["transpose_b"] else -2]
    kept = [-3 - axis for axis in summed]
    axis = max(ranks) - (1 if weight_port == 1 else 2)
    return ChannelLayer(
        op=name,
        type=op.get_type_name(),
        port=port,
        axis=summed[port] + ranks[port],
        weight_port=weight_port,
        weight_axis=summed[weight_port] + ranks[weight_port],
        weight_output_axes=(kept[weight_port] + ranks[weight_port],),
        output_axis=axis,
        mixes=ranks[weight_port] == 2,
        products=_products(op, weight_port, after, axis),
    )


def _rank(op: ov.Node, port: int) -> int:
    return len(op.input_value(port).get_partial_shape())
