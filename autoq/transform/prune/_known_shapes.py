"""Writes computed shapes as constants where they are known: channels then depend on no arithmetic.

requires: a model in normal form.
ensures: a new model that computes the same. Operations that only computed those shapes are gone.

1. A VariadicSplit whose parts have known lengths along its axis is told these.
2. A Reshape whose result has at most one open axis is told the other lengths, and -1 for the open one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from autoq.graph import Samples, operation


def with_known_shapes(model: ov.Model) -> ov.Model:
    """A model whose known shapes are constants.

    Args:
        model: Never modified.
    """
    clone = model.clone()
    for op in clone.get_ordered_ops():
        row = operation(op.get_type_name())
        if row.samples is Samples.SPLIT and op.get_input_size() == 3 and _is_constant(op, 1):
            along = int(op.input_value(1).get_node().data.ravel()[0])
            _tell(op, 2, [output.get_partial_shape() for output in op.outputs()], along)
        elif row.samples is Samples.ORDER and row.shape_ports:
            _tell(op, 1, [op.get_output_partial_shape(0)])
    clone.validate_nodes_and_infer_types()
    return clone


def _tell(op: ov.Node, port: int, shapes: Sequence[ov.PartialShape], along: int | None = None) -> None:
    """Gives an operation its lengths.

    Args:
        op: The operation.
        port: Its input for lengths.
        shapes: Shapes of its outputs.
        along: The axis that counts; None for all axes.
    """
    if _is_constant(op, port) or any(shape.rank.is_dynamic for shape in shapes):
        return
    axes = [axis for shape in shapes for axis in (shape if along is None else [shape[along]])]
    lengths = [int(axis.get_length()) if axis.is_static else -1 for axis in axes]
    if lengths.count(-1) <= 1 and 0 not in lengths:
        made = ops.constant(np.array(lengths, op.get_input_element_type(port).to_dtype()))
        made.set_friendly_name(f"{op.get_friendly_name()}/lengths")
        op.input(port).replace_source_output(made.output(0))


def _is_constant(op: ov.Node, port: int) -> bool:
    return bool(op.input_value(port).get_node().get_type_name() == "Constant")
