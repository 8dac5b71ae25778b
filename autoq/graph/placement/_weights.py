"""Weighted operations: the input with the weight, the axes of its channels, the place of the bias."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import openvino as ov

from autoq.graph.flow import Flow, is_finite
from autoq.graph.operations import (
    FLOAT_TYPES,
    QuantizerSite,
    Tensor,
    WeightedLayer,
    operation,
)


def weight_ports(flow: Flow, name: str) -> tuple[int, ...]:
    """Input ports of an operation that read a float constant, perhaps through a Convert or Reshape.

    A constant that is already quantized (integers, or with a FakeQuantize) does not count.
    """
    op = flow.nodes[name]
    ports = operation(op.get_type_name()).weight_ports
    return tuple(port for port in ports if port < len(op.inputs()) and _is_float_constant(op.input_value(port)))


def reads_quantized_table(flow: Flow, name: str) -> bool:
    """Whether an operation is an embedding whose table is already integers or has a FakeQuantize."""
    if flow.type[name] != "Gather" or any(edge.target_port == 0 for edge in flow.in_edges[name]):
        return False
    return not _is_float_constant(flow.nodes[name].input_value(0))


def _is_float_constant(output: ov.Output) -> bool:
    if output.get_element_type().get_type_name() not in FLOAT_TYPES:
        return False
    constant = stored_constant(output)
    return constant is not None and constant.get_element_type().get_type_name() in FLOAT_TYPES


def stored_constant(output: ov.Output) -> ov.Node | None:
    """The Constant of a value, through operations that only wrap it; None for other values."""
    node = output.get_node()
    while operation(node.get_type_name()).wraps_weight:
        node = node.input_value(0).get_node()
    return node if node.get_type_name() == "Constant" else None


def is_depthwise(op: ov.Node) -> bool:
    """Whether a group convolution has one group per input channel, and more than one."""
    if op.get_type_name() != "GroupConvolution":
        return False
    channels = op.input_value(0).get_partial_shape()[1]
    groups = op.input_value(1).get_partial_shape()[0]
    if channels.is_dynamic or groups.is_dynamic:
        return False
    return bool(groups.get_length() == channels.get_length() > 1)


def weighted_layers(flow: Flow, weights: Iterable[QuantizerSite]) -> tuple[WeightedLayer, ...]:
    """The layers with a mean shift that bias correction can remove, in topological order."""
    found = [_weighted_layer(flow, op, site.name, port) for site in weights for op, port in site.consumers]
    return tuple(sorted((layer for layer in found if layer is not None), key=lambda layer: flow.order[layer.op]))


def alignable_pairs(flow: Flow, layers: Iterable[WeightedLayer]) -> tuple[tuple[WeightedLayer, WeightedLayer], ...]:
    """Pairs of convolutions with nothing between them, of which the second neither pads nor skips.

    Channel alignment scales their weights. A weight with several readers cannot be scaled for one of them.
    """
    layers = tuple(layers)
    readers = Counter(layer.weight for layer in layers)
    first = {layer.output: layer for layer in layers if operation(layer.type).aligns and readers[layer.weight] == 1}
    return tuple(
        (first[layer.input], layer)
        for layer in layers
        if layer.input in first
        and operation(layer.type).aligns
        and operation(layer.type).dense
        and readers[layer.weight] == 1
        and len(flow.out_edges[layer.input.producer]) == 1
        and _neither_pads_nor_skips(flow.nodes[layer.op])
    )


def _neither_pads_nor_skips(op: ov.Node) -> bool:
    attributes = op.get_attributes()
    steps = [*attributes["strides"], *attributes["dilations"]]
    padding = [*attributes["pads_begin"], *attributes["pads_end"]]
    return all(step == 1 for step in steps) and not any(padding)


def _weighted_layer(flow: Flow, name: str, site: str, port: int) -> WeightedLayer | None:
    """The layer of an operation; None if it is no convolution or MatMul of one activation."""
    op = flow.nodes[name]
    kind = op.get_type_name()
    if not operation(kind).sums_products:
        return None
    data = [edge for edge in flow.in_edges[name] if edge.target_port != port]
    if len(data) != 1:
        return None
    transposed = kind == "MatMul" and op.get_attributes()["transpose_a" if data[0].target_port == 0 else "transpose_b"]
    is_left = data[0].target_port == 0
    input_axis = 1 if kind != "MatMul" else (-1 if is_left != bool(transposed) else -2)
    output_axis = 1 if kind != "MatMul" else (-1 if is_left else -2)
    add, bias, bias_port = _bias(flow, name)
    return WeightedLayer(
        op=name,
        type=kind,
        input=Tensor(data[0].source, data[0].source_port),
        input_axis=input_axis,
        output_axis=output_axis,
        weight=site,
        weight_port=port,
        bias_add=add,
        bias=bias,
        bias_port=bias_port,
    )


def _bias(flow: Flow, name: str) -> tuple[str | None, str | None, int | None]:
    """The Add of a constant after an operation, with the constant (or its Convert) and its port."""
    edges = flow.out_edges[name]
    if len(edges) != 1 or flow.type[edges[0].target] != "Add":
        return None, None, None
    add = flow.nodes[edges[0].target]
    port = 1 - edges[0].target_port
    if not _is_float_constant(add.input_value(port)) or add.get_attributes()["auto_broadcast"] == "pdpd":
        return None, None, None
    bias = add.input_value(port)
    stored = stored_constant(bias)
    if stored is not None and not is_finite(stored):
        # No mean can be computed after it, and no shift can be compared with it.
        return None, None, None
    return edges[0].target, flow.name_of(bias.get_node()), port
