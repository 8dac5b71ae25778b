"""Recurrent layers that are told how long each of their sequences is."""

from __future__ import annotations

import openvino as ov

# Operations over sequences, and the input that holds the lengths.
_LENGTHS = {"LSTMSequence": 3, "GRUSequence": 2, "RNNSequence": 2}


def has_given_lengths(model: ov.Model) -> bool:
    """Whether a recurrent layer reads lengths of sequences that are in the data, and not those of the tensor.

    What such a layer gives past the length of a sequence is up to the device, and not the same where shapes are open.
    """
    told = [op.input_value(_LENGTHS[kind]) for op in model.get_ops() if (kind := op.get_type_name()) in _LENGTHS]
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
