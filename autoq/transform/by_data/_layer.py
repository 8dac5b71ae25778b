"""A weight of two axes as the matrix of its layer, the numbers of an output in a row, and the error of its rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np
from joblib import cpu_count

from autoq.core import FloatArray, WeightFormat
from autoq.transform.compress import Encoded, Numbers, decode, encode, in_single, usual_scales

# Numbers of the outputs that are computed together: memory holds few copies of them, and all cores have work.
_PART = 3 << 17
RowEncoder = Callable[[FloatArray, WeightFormat], Encoded]
T = TypeVar("T")


def by_rows(numbers: Numbers, form: WeightFormat, axis: int, rounding: RowEncoder) -> Encoded:
    """Rounds a weight whose reduced axis is any of its two by a function for the last one.

    Args:
        numbers: The weight, [O, I] or [I, O]; never modified.
        form: The format, without a scale of scales.
        axis: The reduced axis, 0 or 1.
        rounding: Gets some outputs of the weight as float32 [O', I]; several threads call it.

    Raises:
        ValueError: The weight holds numbers that are not finite.
    """

    def encoded(rows: Numbers) -> Encoded:
        weight = in_single(rows)
        if not np.isfinite(weight).all():
            msg = "it holds numbers that are not finite."
            raise ValueError(msg)
        return rounding(weight, form)

    parts = _by_part(numbers if axis == 1 else numbers.T, encoded)
    first = parts[0]
    zeros = [part.zero_point for part in parts if part.zero_point is not None]
    return replace(
        first,
        shape=tuple(numbers.shape),
        axes=first.axes if axis == 1 else (first.axes[0] - 1,),
        numbers=_joined([part.numbers for part in parts], axis),
        scale=_joined([part.scale for part in parts], axis),
        zero_point=_joined(zeros, axis) if zeros else None,
    )


def by_matrix(stack: Numbers, work: Callable[[Numbers, int], T]) -> list[T]:
    """Does work on each matrix of a stack and its place: on all cores where `by_rows` leaves one to one core."""
    workers = 1 if stack[0].size > _PART else min(cpu_count(), len(stack))
    if workers == 1:
        return [work(part, place) for place, part in enumerate(stack)]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, stack, range(len(stack))))


def stacked(parts: Sequence[Encoded]) -> Encoded:
    """A stack of matrices of their encodings."""
    first = parts[0]
    zeros = [part.zero_point for part in parts if part.zero_point is not None]
    return replace(
        first,
        shape=(len(parts), *first.shape),
        axes=tuple(axis + 1 for axis in first.axes),
        numbers=np.stack([part.numbers for part in parts]),
        scale=np.stack([part.scale for part in parts]),
        zero_point=np.stack(zeros) if zeros else None,
    )


def _joined(parts: Sequence[Numbers], axis: int) -> Numbers:
    """Numbers of all outputs; outputs are their first axis, or the last one where the reduced axis is the first."""
    whole = np.concatenate(parts) if len(parts) > 1 else parts[0]
    return whole if axis == 1 else np.ascontiguousarray(np.moveaxis(whole, 0, -1))


def _by_part(rows: Numbers, work: Callable[[Numbers], T]) -> list[T]:
    """Does work on parts of rows [O, I], on all cores if there are several. The shape alone tells their lengths."""
    parts = np.array_split(rows, min(max(1, -(-rows.size // _PART)), len(rows)))
    workers = min(cpu_count(), len(parts))
    if workers == 1:
        return list(map(work, parts))
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, parts))


def layer_error(difference: FloatArray, gram: FloatArray) -> FloatArray:
    """The mean over tokens of the squared error of each output.

    Args:
        difference: The rounded weight less the weight, [O, I].
        gram: Mean over tokens of x x^T, [I, I].

    Returns:
        [O].
    """
    return np.asarray(np.einsum("oi,oi->o", difference @ gram, difference), np.float32)


def rounding_error(
    numbers: Numbers, encoded: Encoded, axes: Sequence[int], gram: FloatArray | Iterable[FloatArray] | None
) -> float:
    """The error of an encoded weight.

    Args:
        numbers: The weight; never modified.
        encoded: Its encoding.
        axes: Its reduced axes.
        gram: Mean over tokens of x x^T, [I, I], or one for each matrix of a stack; None where it is not known.

    Returns:
        The mean over tokens of the squared error of all outputs; without products the squared error of all numbers.
    """
    difference = decode(encoded)
    difference -= numbers
    rows = difference.reshape(len(difference), -1)
    if gram is not None:
        (axis,) = axes
        rows = np.moveaxis(difference, axis, -1)
        if not isinstance(gram, np.ndarray):
            parts = zip(rows, gram, strict=True)
            return sum(float(layer_error(part, own).sum(dtype=np.float64)) for part, own in parts)
        rows = rows.reshape(-1, len(gram))

    def of(part: Numbers) -> float:
        errors = np.square(part) if gram is None else layer_error(part, gram)
        return float(errors.sum(dtype=np.float64))

    return sum(_by_part(rows, of))


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


def scales_of(weight: FloatArray, form: WeightFormat) -> tuple[FloatArray, FloatArray | None]:
    """The usual scales, and zero points as float32, of a weight [O, I], each [O, G]."""
    return by_output(*usual_scales(weight, form, (1,)))


def by_output(scale: FloatArray, zero_point: Numbers | None) -> tuple[FloatArray, FloatArray | None]:
    """Scales, and zero points as float32, of a weight [O, I] as they are stored, each [O, G]."""
    rows = len(scale), -1
    return scale.reshape(rows), None if zero_point is None else zero_point.reshape(rows).astype(np.float32)
