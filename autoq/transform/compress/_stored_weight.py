"""A compressed weight as a model stores it: bits in OpenVINO's types.

Integers of 2 and 3 bits are stored without a sign. Scales that are powers of two are stored as their exponents, and
scales with a scale of their own in 8 bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoq.core import NumberFamily, WeightFormat
from autoq.transform.compress._encoded import Encoded, Layout, Numbers
from autoq.transform.compress._floats import e4m3_bits
from autoq.transform.compress._stored import StoredArray, byte_size, stored

# Bytes of a number.
_SINGLE, _LONG = 4, 8


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """A compressed weight as a model stores it.

    Attributes:
        format: Its format.
        shape: Shape of the weight.
        numbers: Stored numbers, grouped if the format is.
        scale: Scales.
        zero_point: Zero points, of formats that have one for each scale.
        scale_of_scales: What all scales are multiplied by, of formats that have it.
    """

    format: WeightFormat
    shape: tuple[int, ...]
    numbers: StoredArray
    scale: StoredArray
    zero_point: StoredArray | None = None
    scale_of_scales: float | None = None

    @classmethod
    def of(cls, encoded: Encoded) -> StoredWeight:
        """Packs an encoded weight."""
        form, zero = encoded.format, encoded.zero_point
        return cls(
            format=form,
            shape=encoded.shape,
            numbers=stored(_unsigned(encoded), form.storage),
            scale=stored(_scale_bits(encoded), form.scale_type),
            zero_point=None if zero is None else stored(zero, form.storage),
            scale_of_scales=encoded.scale_of_scales,
        )


def stored_layout(
    shape: Sequence[int], axes: Sequence[int], form: WeightFormat
) -> dict[str, tuple[str, tuple[int, ...]]]:
    """OpenVINO's type, and shape, of each array that a compressed weight is stored in, by its name in `StoredWeight`.

    Args:
        shape: Shape of the weight.
        axes: Its reduced axes.
        form: The format.

    Raises:
        ValueError: Groups do not fit.
    """
    layout = Layout.of(shape, axes, form.group_size)
    found = {"numbers": (form.storage, layout.shape), "scale": (form.scale_type, layout.scale_shape)}
    return found if form.is_symmetric else found | {"zero_point": (form.storage, layout.scale_shape)}


def stored_bytes(shape: Sequence[int], axes: Sequence[int], form: WeightFormat) -> int:
    """Bytes of all Constants that a compressed weight is stored in; the arguments are those of `stored_layout`.

    Raises:
        ValueError: Groups do not fit.
    """
    size = sum(byte_size(math.prod(own), kind) for kind, own in stored_layout(shape, axes, form).values())
    if has_offset(form):
        size += 1
    if form.scale_type == "f8e4m3":
        size += _SINGLE
    if form.family is NumberFamily.CODEBOOK:
        size += byte_size(len(form.codebook), str(form.codebook_type)) + _LONG
    return size + len(shape) * _LONG if form.is_grouped else size


def has_offset(form: WeightFormat) -> bool:
    """Whether integers without zero points of their own are stored without a sign."""
    return form.is_integer and form.is_symmetric and form.storage.startswith("u")


def _unsigned(encoded: Encoded) -> Numbers:
    """Numbers as they are stored."""
    form = encoded.format
    return (encoded.numbers + np.int8(-form.levels[0])).view(np.uint8) if has_offset(form) else encoded.numbers


def _scale_bits(encoded: Encoded) -> Numbers:
    """Scales as they are stored."""
    match encoded.format.scale_type:
        case "f16":
            return encoded.scale.astype(np.float16)
        case "f8e8m0":
            return (np.frexp(encoded.scale)[1] + 126).astype(np.uint8)
        case _:
            return e4m3_bits(encoded.scale)
