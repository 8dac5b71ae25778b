"""Weights of layers, by the channels that they make and read."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.core import FloatArray
from autoq.graph import ChannelGraph, ChannelGroup, ChannelLayer
from autoq.transform.compress import numbers_of


def stored(value: ov.Output) -> ov.Node:
    """The Constant that a weight is stored in."""
    node = value.get_node()
    while node.get_type_name() != "Constant":
        node = node.input_value(0).get_node()
    return node


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
