"""Floating point numbers of all types. NumPy has no bfloat16: OpenVINO gives its bits as float16."""

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
    """NumPy type for values of a type; for bfloat16 the type of the inputs and outputs of `with_float_ends`."""
    return np.dtype(np.float32 if kind == ov.Type.bf16 else kind.to_dtype())


def with_float_ends(model: ov.Model) -> ov.Model:
    """A model to run, whose inputs and outputs of bfloat16 become float32.

    Args:
        model: The model, which is never modified; it is returned if it has no such inputs and outputs.
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
    """A Constant of numbers, each rounded to the nearest one of its type; finite numbers stay finite.

    Args:
        value: Real numbers.
        kind: Floating point type of 16 bits or more.
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
    # Rounds to the nearest number, and to the even one of two that are equally near.
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(value), _NOT_A_NUMBER, rounded.astype(np.uint16))
