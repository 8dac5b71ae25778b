"""Weights that are stored in 8 bits and computed in float."""

from __future__ import annotations

import openvino as ov

from autoq.graph.operations import operation

_STORED = frozenset({"i8", "u8", "f8e4m3", "f8e5m2"})
_FLOATS = frozenset({"f8e4m3", "f8e5m2"})


def stores_weights_alone(model: ov.Model) -> bool:
    """Whether a layer computes in float with a weight that is stored in 8 bits.

    1. A weight is stored as an 8-bit floating point number.
    2. A weight is stored as an 8-bit integer, and no quantizer stands before the other input of its layer.
    """
    for op in model.get_ops():
        row = operation(op.get_type_name())
        if not row.sums_products:
            continue
        stored = {port: _stored_type(op.input_value(port)) for port in row.weight_ports if port < op.get_input_size()}
        weights = {port: kind for port, kind in stored.items() if kind in _STORED}
        if any(kind in _FLOATS for kind in weights.values()):
            return True
        if weights and not any(_is_quantized(op.input_value(port)) for port in (0, 1) if port not in weights):
            return True
    return False


def _stored_type(output: ov.Output) -> str | None:
    """Type of the constant behind operations that prepare a weight; None if there is no constant."""
    node = output.get_node()
    while (name := node.get_type_name()) != "Constant":
        row = operation(name)
        if not (row.wraps_weight or row.dequantizes or row.moves) or not node.get_input_size():
            return None
        node = node.input_value(0).get_node()
    return str(node.get_output_element_type(0).get_type_name())


def _is_quantized(output: ov.Output) -> bool:
    """Whether a quantizer stands behind operations that move values."""
    node = output.get_node()
    while not operation(node.get_type_name()).quantizer:
        if not operation(node.get_type_name()).moves or not node.get_input_size():
            return False
        node = node.input_value(0).get_node()
    return True
