"""Keeps convolutions apart from sums that read them twice, where OpenVINO's CPU computes both as one and is wrong.

requires: a clone with its quantizers.
ensures: the model computes the same numbers, but for zeros, which become 1e-30.

A convolution in 8 bits without a bias, of an open shape, whose result is summed with something that is computed from
it, as in a residual block, is taken together with the sum: what it gives to the others is then not scaled rightly. With
a bias, it is. Zeros would be optimized away.
"""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from autoq.graph import APART, Family, operation
from autoq.transform.quantize._fake_quantize import float_node

_NEXT_TO_NOTHING = 1e-30


def keep_sums_apart(model: ov.Model) -> None:
    """Gives a bias that is next to nothing to convolutions that need one.

    Args:
        model: The clone; it is changed.
    """
    for op in model.get_ordered_ops():
        if operation(op.get_type_name()).family is Family.CONVOLUTION and _is_taken_along(op):
            _add_bias(op)


def _is_taken_along(op: ov.Node) -> bool:
    is_quantized = op.input_value(1).get_node().get_type_name() != "Constant"
    is_single = op.get_output_element_type(0) == ov.Type.f32
    readers = op.output(0).get_target_inputs()
    return is_quantized and is_single and op.get_output_partial_shape(0).is_dynamic and len(readers) > 1


def _add_bias(op: ov.Node) -> None:
    readers, name = op.output(0).get_target_inputs(), op.get_friendly_name()
    shape = [1] * len(op.get_output_partial_shape(0))
    least = float_node(np.full(shape, _NEXT_TO_NOTHING, np.float32), ov.Type.f32, f"{name}{APART}/bias")
    biased = ops.add(op, least)
    biased.set_friendly_name(name + APART)
    for reader in readers:
        reader.replace_source_output(biased.output(0))
