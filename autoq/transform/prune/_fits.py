"""What is fitted in which order: each layer that reads what is no longer exact, and the tensor that it should give.

1. The bias of a layer is a constant that is added to its output, one number for each channel.
2. Where that goes into a sum with a tensor that does not depend on it, a residual stream for example, the sum is what
   the layer should give: it makes up for the error that the stream has so far.
3. Where an activation function cuts values off behind that, what is cut off does not count.
4. Layers that do not depend on each other are of one level. Of two that are summed, the later one makes up for both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import openvino as ov

from autoq.graph import ChannelGraph, ChannelLayer, Family, Tensor, operation, unique_names
from autoq.transform.prune._weights import is_stored

_OPEN = float("-inf"), float("inf")


@dataclass(frozen=True, slots=True)
class Fit:
    """One layer.

    Attributes:
        layer: The layer.
        read: What it reads.
        target: What it should give, of the float model.
        bias: The sum with its bias, and the port of the constant; None without one.
        beside: What is added to it further on; None if nothing is.
        limits: Bounds of what is not cut off.
        level: Fits of one level do not depend on each other, but on those before.
    """

    layer: ChannelLayer
    read: Tensor
    target: Tensor
    bias: tuple[str, int] | None
    beside: Tensor | None
    limits: tuple[float, float]
    level: int


def fits_of(model: ov.Model, graph: ChannelGraph, removed: Collection[int]) -> list[Fit]:
    """The layers that are fitted, in graph order.

    Args:
        model: The model with all channels; never modified.
        graph: Its channels.
        removed: Numbers of the channels that go.
    """
    nodes = unique_names(model)
    name_of = {op.get_name(): name for name, op in nodes.items()}
    gone = np.array(sorted(removed), np.int64)
    inexact: set[str] = set()
    level: dict[str, int] = {}
    found: list[Fit] = []
    for name, op in nodes.items():
        sources = [name_of[value.get_node().get_name()] for value in op.input_values()]
        level[name] = max((level[source] for source in sources), default=0)
        constant = [value.get_node().get_type_name() == "Constant" for value in op.input_values()]
        if inexact.intersection(sources) or any(
            _loses(graph, (name, port), gone) for port, is_one in enumerate(constant) if not is_one
        ):
            inexact.add(name)
        layer = graph.layer.get(name)
        if name not in inexact or layer is None or not can_be_fitted(layer):
            continue
        fit = _fit(nodes, name_of, layer, level)
        level[name] = fit.level
        found.append(fit)
    return found


def _loses(graph: ChannelGraph, port: tuple[str, int], gone: np.ndarray) -> bool:
    axes = graph.reads.get(port, ())
    return any(own is not None and bool(np.isin(own, gone).any()) for own in axes)


def can_be_fitted(layer: ChannelLayer) -> bool:
    """Whether it is a product, or a convolution that is not transposed: its weight has output channels first.

    Args:
        layer: A layer.
    """
    row = operation(layer.type)
    if row.family is Family.CONVOLUTION and row.channel_axes is not None:
        return row.channel_axes == tuple(range(len(row.channel_axes)))
    return layer.type == "MatMul" and layer.mixes


def _fit(
    nodes: Mapping[str, ov.Node], name_of: Mapping[str, str], layer: ChannelLayer, level: Mapping[str, int]
) -> Fit:
    op = nodes[layer.op]
    value = op.input_value(layer.port)
    read = Tensor(name_of[value.get_node().get_name()], value.get_index())
    own = level[layer.op]
    last, bias = op.output(0), None
    added = _only_sum(last)
    if added is not None and (port := _bias_port(added, last, layer)) is not None:
        bias, last = (name_of[added.get_name()], port), added.output(0)
    beside = None
    added = _only_sum(last)
    if added is not None:
        other = next(v for v in added.input_values() if v.get_node().get_name() != last.get_node().get_name())
        same = other.get_partial_shape() == last.get_partial_shape()
        if same and other.get_node().get_type_name() != "Constant" and not _depends(other.get_node(), op):
            producer = name_of[other.get_node().get_name()]
            # What comes later in topological order is fitted later, and makes up for this layer.
            if producer in level:
                beside, last = Tensor(producer, other.get_index()), added.output(0)
                own = max(own, level[producer])
    return Fit(layer, read, Tensor(name_of[last.get_node().get_name()], 0), bias, beside, _limits(last), own + 1)


def _readers(value: ov.Output) -> list[ov.Node]:
    return [target.get_node() for target in value.get_target_inputs()]


def _only_sum(value: ov.Output) -> ov.Node | None:
    """The sum that alone reads a value, and has its shape."""
    readers = _readers(value)
    if len(readers) != 1 or readers[0].get_type_name() != "Add":
        return None
    return readers[0] if readers[0].get_output_partial_shape(0) == value.get_partial_shape() else None


def _bias_port(added: ov.Node, value: ov.Output, layer: ChannelLayer) -> int | None:
    """The port of a constant with one number for each channel that a layer makes."""
    for port, other in enumerate(added.input_values()):
        if not is_stored(other):
            continue
        shape, whole = list(other.get_shape()), value.get_partial_shape()
        behind = len(whole) - 1 - layer.output_axis
        place = len(shape) - 1 - behind
        width = whole[layer.output_axis]
        if place >= 0 and width.is_static and shape[place] == width.get_length() == int(np.prod(shape)):
            return port
    return None


def _depends(op: ov.Node, on: ov.Node) -> bool:
    """Whether an operation is computed from another one."""
    seen, waiting = set(), [op]
    while waiting:
        one = waiting.pop()
        if one.get_name() == on.get_name():
            return True
        if one.get_name() not in seen:
            seen.add(one.get_name())
            waiting += [value.get_node() for value in one.input_values()]
    return False


def _limits(value: ov.Output) -> tuple[float, float]:
    readers = _readers(value)
    if len(readers) != 1:
        return _OPEN
    kind = readers[0].get_type_name()
    if kind == "Clamp":
        attributes = readers[0].get_attributes()
        return float(attributes["min"]), float(attributes["max"])
    return operation(kind).bounds or _OPEN
