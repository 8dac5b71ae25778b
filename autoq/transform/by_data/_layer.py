"""A weight of two axes as the matrix of its layer, the numbers of an output in a row, and the error of its rounding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from autoq.core import FloatArray, WeightFormat
from autoq.transform.compress import Encoded, Numbers, decode, encode

# Numbers of the rows whose error is computed together.
_BLOCK = 1 << 21
RowEncoder = Callable[[FloatArray, WeightFormat], Encoded]


def by_rows(numbers: Numbers, form: WeightFormat, axis: int, rounding: RowEncoder) -> Encoded:
    """Rounds a weight whose reduced axis is any of its two by a function for the last one.

    Args:
        numbers: The weight, [O, I] or [I, O]; never modified.
        form: The format.
        axis: The reduced axis, 0 or 1.
        rounding: Gets the weight as float32 [O, I].

    Raises:
        ValueError: The weight holds numbers that are not finite.
    """
    weight = np.array(numbers if axis == 1 else numbers.T, np.float32, order="C")
    if not np.isfinite(weight).all():
        msg = "it holds numbers that are not finite."
        raise ValueError(msg)
    encoded = rounding(weight, form)
    if axis == 1:
        return encoded
    zero = encoded.zero_point
    return replace(
        encoded,
        shape=encoded.shape[::-1],
        axes=(encoded.axes[0] - 1,),
        numbers=_turned(encoded.numbers),
        scale=_turned(encoded.scale),
        zero_point=None if zero is None else _turned(zero),
    )


def _turned(values: Numbers) -> Numbers:
    """Numbers with their first axis last."""
    return np.ascontiguousarray(np.moveaxis(values, 0, -1))


def layer_error(difference: FloatArray, gram: FloatArray) -> FloatArray:
    """The mean over tokens of the squared error of each output.

    Args:
        difference: The rounded weight less the weight, [O, I].
        gram: Mean over tokens of x x^T, [I, I].

    Returns:
        [O].
    """
    return np.asarray(np.einsum("oi,oi->o", difference @ gram, difference), np.float32)


def rounding_error(numbers: Numbers, encoded: Encoded, axes: Sequence[int], gram: FloatArray | None) -> float:
    """The error of an encoded weight.

    Args:
        numbers: The weight; never modified.
        encoded: Its encoding.
        axes: Its reduced axes.
        gram: Mean over tokens of x x^T, [I, I]; None where it is not known.

    Returns:
        The mean over tokens of the squared error of all outputs; without products the squared error of all numbers.
    """
    difference = decode(encoded)
    difference -= numbers
    rows = difference.reshape(len(difference), -1)
    if gram is not None:
        (axis,) = axes
        rows = np.moveaxis(difference, axis, -1).reshape(-1, len(gram))
    total, step = 0.0, max(1, _BLOCK // rows.shape[1])
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        errors = np.square(part) if gram is None else layer_error(part, gram)
        total += float(errors.sum(dtype=np.float64))
    return total


def stored_scales(scale: FloatArray, form: WeightFormat, instead: FloatArray) -> FloatArray:
    """Scales as they are stored; those that would become zero or infinity are replaced."""
    if form.scale_type != "f16":
        return scale
    with np.errstate(over="ignore"):
        half = scale.astype(np.float16).astype(np.float32)
    return np.where((half != 0) & np.isfinite(half), half, instead)


def encoded_with(
    values: FloatArray, form: WeightFormat, scale: FloatArray, zero_point: FloatArray | None = None
) -> Encoded:
    """Stored numbers with known scales.

    Args:
        values: float32 [O, I].
        form: The format.
        scale: [O, G].
        zero_point: [O, G], of formats that have them.
    """
    shape = (*scale.shape, 1) if form.is_grouped else scale.shape
    zeros = None if zero_point is None else zero_point.astype(np.uint8).reshape(shape)
    return encode(values, form, (1,), scale=np.ascontiguousarray(scale.reshape(shape)), zero_point=zeros)


def scales_of(encoded: Encoded) -> tuple[FloatArray, FloatArray | None]:
    """Scales, and zero points as float32, of a weight [O, I], each [O, G]."""
    outputs = encoded.shape[0]
    zero = encoded.zero_point
    return encoded.scale.reshape(outputs, -1), None if zero is None else zero.reshape(outputs, -1).astype(np.float32)
