"""A model cut open at some of its tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import openvino as ov
from openvino import opset13 as ops

from autoq.graph.operations import Tensor


def opened_at(nodes: Mapping[str, ov.Node], tensors: Iterable[Tensor]) -> list[ov.Node]:
    """Puts a new parameter in the place of each tensor: what reads the tensor reads the parameter then.

    Args:
        nodes: Operations of the model by their unique names; the model is changed.
        tensors: The tensors.

    Returns:
        The parameters, in the order of the tensors, with their types and shapes.
    """
    made = []
    for tensor in tensors:
        output = nodes[tensor.producer].output(tensor.port)
        parameter = ops.parameter(output.get_partial_shape(), output.get_element_type())
        for target in output.get_target_inputs():
            target.replace_source_output(parameter.output(0))
        made.append(parameter)
    return made
