"""Recurrent layers that are told how long each of their sequences is."""

from __future__ import annotations

import openvino as ov

from autoq.graph.operations._operations import operation


def has_given_lengths(model: ov.Model) -> bool:
    """Whether a recurrent layer reads lengths of sequences that are in the data, and not those of the tensor.

    What such a layer gives past the length of a sequence is up to the device, and not the same where shapes are open.
    """
    ports = [(op, operation(op.get_type_name()).length_port) for op in model.get_ops()]
    told = [op.input_value(port) for op, port in ports if port is not None]
    waiting, seen = [value.get_node() for value in told], set[str]()
    while waiting:
        node = waiting.pop()
        if node.get_type_name() == "Parameter":
            return True
        # A shape does not depend on the numbers of its tensor.
        if node.get_type_name() != "ShapeOf" and node.get_name() not in seen:
            seen.add(node.get_name())
            waiting += [value.get_node() for value in node.input_values()]
    return False
