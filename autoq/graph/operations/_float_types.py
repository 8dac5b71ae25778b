"""Floating point numbers of all types: NumPy has no bfloat16, of which OpenVINO gives the bits as float16."""

from __future__ import annotations

from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import ArrayLike, NDArray
from openvino.op import Constant
from openvino.preprocess import PrePostProcessor

_NOT_A_NUMBER = np.uint16(0x7FC0)
_LARGEST_BFLOAT16 = np.uint32(0x7F7F0000).view(np.float32)


def array_type(kind: ov.Type) -> np.dtype[Any]:
    """Type of the arrays that stand for values of a type; of bfloat16 those that `with_float_ends` takes and gives."""
    return np.dtype(np.float32 if kind == ov.Type.bf16 else kind.to_dtype())


def with_float_ends(model: ov.Model) -> ov.Model:
    """A model to run: inputs and outputs of bfloat16 take and give float32.

    Args:
        model: Never modified; returned as it is where it has no such ends.
    """
    ends = [*model.inputs, *model.outputs]
    if not any(end.get_element_type() == ov.Type.bf16 for end in ends):
        return model
    steps = PrePostProcessor(model.clone())
    for index, port in enumerate(model.inputs):
        if port.get_element_type() == ov.Type.bf16:
            steps.input(index).tensor().set_element_type(ov.Type.f32)
    for index, port in enumerate(model.outputs):
        if port.get_element_type() == ov.Type.bf16:
            steps.output(index).tensor().set_element_type(ov.Type.f32)
    return steps.build()


def float_constant(value: ArrayLike, kind: ov.Type) -> ov.Node:
    """A Constant of numbers, each rounded to the nearest that its type has; a finite one stays finite.

    Args:
        value: Real numbers.
        kind: Floating point, of 16 bits or more.
    """
    given = np.asarray(value, np.float64 if kind == ov.Type.f64 else np.float32)
    dtype = np.dtype(kind.to_dtype())
    most = _LARGEST_BFLOAT16 if kind == ov.Type.bf16 else np.finfo(dtype).max
    given = np.where(np.isfinite(given), np.clip(given, -most, most), given)
    tensor = ov.Tensor(kind, list(given.shape))
    tensor.data[...] = _bfloat16_bits(given).view(dtype) if kind == ov.Type.bf16 else given.astype(dtype)
    return Constant(tensor)


def _bfloat16_bits(value: NDArray[Any]) -> NDArray[np.uint16]:
    bits = np.ascontiguousarray(value).view(np.uint32)
    # To nearest, and to even where two are as near.
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(value), _NOT_A_NUMBER, rounded.astype(np.uint16))
