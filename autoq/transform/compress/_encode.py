"""Weights to stored numbers and back, for every format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from autoq.core import FloatArray, NumberFamily, WeightFormat
from autoq.transform.compress._codebooks import codebook_scales, from_places, to_places
from autoq.transform.compress._encoded import Encoded, Index, Layout, Numbers, by_block
from autoq.transform.compress._floats import float_scales, from_bits, to_bits, two_level_scale
from autoq.transform.compress._integers import from_integers, integer_scales, to_integers

_LARGEST_HALF = float(np.finfo(np.float16).max)


def encode(
    weight: Numbers,
    form: WeightFormat,
    axes: Sequence[int],
    *,
    scale: FloatArray | None = None,
    zero_point: NDArray[np.uint8] | None = None,
) -> Encoded:
    """Rounds a weight to the numbers of a format, block by block in single precision.

    Args:
        weight: float16, float32 or float64 of any shape; never modified.
        form: The format.
        axes: Reduced axes, along which numbers share a scale; one axis for a format with groups.
        scale: Scales instead of those that the format finds: float32, shape of `Layout.scale_shape`. Not for formats
            with a scale of scales.
        zero_point: Zero points beside given scales, of formats that have them; shape of `scale`.

    Raises:
        ValueError: The weight holds numbers that are not finite or too large, groups do not fit, or the format does not
            take such scales and zero points.
    """
    layout = Layout.of(weight.shape, axes, form.group_size)
    _check_given(form, layout, scale, zero_point)
    numbers = np.empty(layout.shape, _stored_type(form))
    scales = np.empty(layout.scale_shape, np.float32) if scale is None else scale
    zeros = None if form.is_symmetric else np.empty(layout.scale_shape, np.uint8) if zero_point is None else zero_point
    numbers_of, scales_of = layout.by_scale(numbers), layout.by_scale(scales)
    zeros_of = None if zeros is None else layout.by_scale(zeros)

    def fill(index: Index, rows: FloatArray) -> None:
        if scale is None:
            own, zero = _scales(rows, form, weight.size)
            _put(scales_of, index, own)
            _put(zeros_of, index, zero)
        else:
            own = scales_of[index].reshape(-1)
            _check_scales(own, form, finite=bool(np.isfinite(rows).all()))
            zero = None if zeros_of is None else zeros_of[index].reshape(-1).astype(np.float32)
        numbers_of[index] = _numbers(rows, own, zero, form).reshape(numbers_of[index].shape)

    by_block(weight, layout, fill)
    whole = None
    if form.scale_type == "f8e4m3":
        scales, whole = two_level_scale(scales)
    return Encoded(form, tuple(weight.shape), layout.axes, numbers, scales, zeros, whole)


def usual_scales(
    weight: Numbers, form: WeightFormat, axes: Sequence[int]
) -> tuple[FloatArray, NDArray[np.uint8] | None]:
    """The scales and zero points that `encode` finds, without the numbers.

    Args:
        weight: float16, float32 or float64 of any shape; never modified.
        form: A format without a scale of scales.
        axes: Reduced axes, as for `encode`.

    Raises:
        ValueError: The weight holds numbers that are not finite or too large, or groups do not fit.
    """
    layout = Layout.of(weight.shape, axes, form.group_size)
    scales = np.empty(layout.scale_shape, np.float32)
    zeros = None if form.is_symmetric else np.empty(layout.scale_shape, np.uint8)
    scales_of, zeros_of = layout.by_scale(scales), None if zeros is None else layout.by_scale(zeros)

    def fill(index: Index, rows: FloatArray) -> None:
        own, zero = _scales(rows, form, weight.size)
        _put(scales_of, index, own)
        _put(zeros_of, index, zero)

    by_block(weight, layout, fill)
    return scales, zeros


def decode(encoded: Encoded) -> FloatArray:
    """The weight that the model computes with: stored numbers times stored scales.

    Returns:
        float32, shape of the weight.
    """
    form = encoded.format
    match form.family:
        case NumberFamily.INTEGER:
            value = from_integers(encoded.numbers, encoded.zero_point)
        case NumberFamily.FLOAT:
            value = from_bits(encoded.numbers, form)
        case NumberFamily.CODEBOOK:
            value = from_places(encoded.numbers, form)
        case family:
            assert_never(family)
    value *= encoded.stored_scale
    return value.reshape(encoded.shape)


def _put(values: Numbers | None, index: Index, found: FloatArray | None) -> None:
    """Keeps what was found of a block, in a view that `Layout.by_scale` gives."""
    if values is not None and found is not None:
        values[index] = found.reshape(values[index].shape)


def _scales(rows: FloatArray, form: WeightFormat, size: int) -> tuple[FloatArray, FloatArray | None]:
    zero = None
    match form.family:
        case NumberFamily.INTEGER:
            scale, zero = integer_scales(rows, form)
        case NumberFamily.FLOAT:
            scale = float_scales(rows, form, size)
        case NumberFamily.CODEBOOK:
            scale = codebook_scales(rows, form)
        case family:
            assert_never(family)
    _check_scales(scale, form)
    return scale, zero


def _numbers(rows: FloatArray, scale: FloatArray, zero_point: FloatArray | None, form: WeightFormat) -> Numbers:
    match form.family:
        case NumberFamily.INTEGER:
            return to_integers(rows, scale, zero_point, form)
        case NumberFamily.FLOAT:
            return to_bits(rows, scale, form)
        case NumberFamily.CODEBOOK:
            return to_places(rows, scale, form)
        case family:
            assert_never(family)


def _check_scales(scale: FloatArray, form: WeightFormat, *, finite: bool = True) -> None:
    """Checks that scales are finite as they are stored; numbers that are not finite are found by their scales."""
    most = _LARGEST_HALF if form.scale_type == "f16" else np.finfo(np.float32).max
    if not (finite and (np.abs(scale) <= most).all()):
        msg = f"it holds numbers that are not finite, or whose scale is too large for {form.scale_type}."
        raise ValueError(msg)


def _stored_type(form: WeightFormat) -> type[np.generic]:
    if form.is_integer and form.is_symmetric:
        return np.int8
    return np.uint16 if form.bits > 8 else np.uint8


def _check_given(
    form: WeightFormat, layout: Layout, scale: FloatArray | None, zero_point: NDArray[np.uint8] | None
) -> None:
    """Checks scales and zero points that a caller gives."""
    if (zero_point is None) != (scale is None or form.is_symmetric):
        wanted = "no zero points" if form.is_symmetric or scale is None else "zero points beside its scales"
        msg = f"format {form} takes {wanted}."
        raise ValueError(msg)
    if scale is not None and form.scale_type == "f8e4m3":
        msg = f"format {form} has scales of scales: it takes no scales."
        raise ValueError(msg)
    for name, given in (("scale", scale), ("zero_point", zero_point)):
        if given is not None and given.shape != layout.scale_shape:
            msg = f"{name} has shape {list(given.shape)}, but format {form} needs {list(layout.scale_shape)}."
            raise ValueError(msg)
