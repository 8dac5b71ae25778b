"""Recurrent layers that read the length of each of their sequences."""

from __future__ import annotations

import openvino as ov

from autoq.graph.operations._operations import operation


def has_given_lengths(model: ov.Model) -> bool:
    """Whether a recurrent layer reads lengths of sequences from the data, and not from the shape of the tensor.

    The device decides the outputs of such a layer after the end of a sequence; they differ if shapes are open.
    """
    ports = [(op, operation(op.get_type_name()).length_port) for op in model.get_ops()]
    told = [op.input_value(port) for op, port in ports if port is not None]
    waiting, seen = [value.get_node() for value in told], set[str]()
    while waiting:
        node = waiting.pop()
        if node.get_type_name() == "Parameter":
            return True
        # A shape does not depend on the values of its tensor.
        if node.get_type_name() != "ShapeOf" and node.get_name() not in seen:
            seen.add(node.get_name())
            waiting += [value.get_node() for value in node.input_values()]
    return False
