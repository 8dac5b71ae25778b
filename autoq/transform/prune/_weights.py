"""Weights of layers, by the channels that they make and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.core import FloatArray
from autoq.graph import ChannelGraph, ChannelGroup, ChannelLayer, float_constant
from autoq.transform.compress import numbers_of


def stored(value: ov.Output) -> ov.Node:
    """The Constant that a weight is stored in."""
    node = value.get_node()
    while node.get_type_name() != "Constant":
        node = node.input_value(0).get_node()
    return node


def is_stored(value: ov.Output) -> bool:
    """Whether a value is a Constant, perhaps in another type than it is stored in."""
    node = value.get_node()
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant")


def weight_of(nodes: Mapping[str, ov.Node], layer: ChannelLayer) -> FloatArray:
    """The weight of a layer, in single precision.

    Args:
        nodes: Operation by unique name.
        layer: The layer; its weight is a Constant, perhaps in a shorter type.
    """
    return np.asarray(numbers_of(stored(nodes[layer.op].input_value(layer.weight_port))), np.float32)


def made_rows(
    nodes: Mapping[str, ov.Node], graph: ChannelGraph, group: ChannelGroup, layer: ChannelLayer
) -> tuple[FloatArray, NDArray[np.int64]]:
    """What makes channels of a group in one layer.

    Returns:
        Numbers of the weight for each such channel, [n, ...], and the place of its channel in the group, [n].
    """
    axes = graph.reads[layer.op, layer.weight_port]
    axis, own = next((axis, own) for axis in layer.weight_output_axes if (own := axes[axis]) is not None)
    is_own = np.isin(own, group.channels)
    rows = np.moveaxis(weight_of(nodes, layer), axis, 0)[is_own]
    return rows.reshape(len(rows), -1), np.searchsorted(group.channels, own[is_own])


def constant_of(term: FloatArray, shape: Sequence[int], weight: ov.Output, kind: ov.Type, name: str) -> ov.Node:
    """A constant term of a layer, stored as its weight is.

    Args:
        term: Its numbers.
        shape: Its shape.
        weight: The weight.
        kind: Type that it is read in.
        name: Its name.
    """
    made = float_constant(term.reshape(shape), stored(weight).get_element_type())
    made.set_friendly_name(name)
    if made.get_element_type() != kind:
        made.set_friendly_name(f"{name}/number")
        made = ops.convert(made, kind.get_type_name())
        made.set_friendly_name(name)
    return made


def give_weight(op: ov.Node, port: int, weight: FloatArray) -> None:
    """Gives an operation a weight of its own, stored in the type of the former one."""
    former = op.input_value(port)
    constant = stored(former)
    made = float_constant(weight, constant.get_element_type())
    made.set_friendly_name(constant.get_friendly_name())
    if former.get_node().get_type_name() != "Constant":
        convert = ops.convert(made, former.get_element_type().get_type_name())
        convert.set_friendly_name(former.get_node().get_friendly_name())
        made = convert
    op.input(port).replace_source_output(made.output(0))
