"""Biases that belong to a convolution or a product: PyTorch adds them in the same kernel."""

from __future__ import annotations

from dataclasses import dataclass

import openvino as ov

from autoq.training.twin._constants import is_float

_WITH_BIAS = {"Convolution": 1, "GroupConvolution": 1, "MatMul": -1}


@dataclass(frozen=True, slots=True)
class Fused:
    """An Add of a constant that is computed with the operation before it.

    Attributes:
        op: The operation before it.
        bias: The port of the Add that reads the constant.
    """

    op: ov.Node
    bias: int


def fused_biases(model: ov.Model, fixed: set[str]) -> dict[str, Fused]:
    """The biases of a model, by OpenVINO's name of their Add.

    Args:
        model: The model.
        fixed: OpenVINO's names of the operations whose values no input changes.
    """
    found = {}
    for op in model.get_ordered_ops():
        if op.get_type_name() != "Add" or op.get_name() in fixed:
            continue
        for port in (0, 1):
            before, bias = op.input_value(port).get_node(), op.input_value(1 - port).get_node()
            is_read_once = len(op.input_value(port).get_target_inputs()) == 1
            if is_read_once and bias.get_name() in fixed and _is_bias(before, bias):
                found[op.get_name()] = Fused(before, 1 - port)
    return found


def _is_bias(op: ov.Node, bias: ov.Node) -> bool:
    axis = _WITH_BIAS.get(op.get_type_name())
    made, shape = op.get_output_partial_shape(0), bias.get_output_partial_shape(0)
    if axis is None or made.rank.is_dynamic or shape.is_dynamic or not is_float(bias.get_output_element_type(0)):
        return False
    rank = made.rank.get_length()
    if op.get_type_name() == "MatMul" and (op.get_input_partial_shape(1).rank.get_length() != 2 or rank < 2):
        return False
    if made[axis].is_dynamic or len(shape.to_shape()) > rank:
        return False
    wanted = [1] * rank
    wanted[axis] = made[axis].get_length()
    return [1] * (rank - len(shape.to_shape())) + list(shape.to_shape()) == wanted
