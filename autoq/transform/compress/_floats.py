"""Floating point numbers of 4 and 8 bits, also with the scales of MX and of NVFP4. Formulas: NNCF 3.4.

| name | meaning                                         | shape    |
|------|-------------------------------------------------|----------|
| x    | numbers of a weight                             | [R, row] |
| s    | scale: max |x| / largest number of the type     | [R]      |

- nf4: the nearest of 16 quantiles of the normal distribution (QLoRA), by the midpoints; a tie is the lower one.
- f4e2m1: 0, .5, 1, 1.5, 2, 3, 4, 6 with a sign; a tie is the one with the even mantissa.
- f8e4m3: through half precision; a tie is the one with the even mantissa.
- MX: s is rounded up to a power of two. NVFP4: x / s, and then s is a number of f8e4m3 times one scale for all.
- Where all numbers are zero, s is eps = 2^-23; in weights of 10,000 numbers or more it is eps / largest.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from autoq.core import FloatArray, Precision, WeightFormat, fp8_bytes, round_to_fp8
from autoq.transform.compress._encoded import Numbers, extremes
from autoq.transform.compress._integers import EPS

_LARGE = 10_000
_NF4 = np.array(
    [
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
        *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
        *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
        *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    ],
    np.float32,
)
# These midpoints are written out: those of the numbers above differ from them in the last digit.
_NF4_MIDPOINTS = np.array(
    [
        *(-0.84809643, -0.6106329, -0.45999527, -0.33967942, -0.2346074, -0.13791174, -0.045525018, 0.03979015),
        *(0.120255254, 0.20352125, 0.29201376, 0.38931254, 0.5016634, 0.6427869, 0.8614784),
    ],
    np.float32,
)
_E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
# A midpoint below an even mantissa belongs to the number above.
_E2M1_ABOVE, _E2M1_FROM = (0.25, 1.25, 2.5, 5.0), (0.75, 1.75, 3.5)
_LARGEST_E4M3 = 448.0


def float_scales(rows: FloatArray, form: WeightFormat, size: int) -> FloatArray:
    """Scales of floating point numbers, before NVFP4 rounds them.

    Args:
        rows: [R, row].
        form: The format.
        size: Numbers of the whole weight.

    Returns:
        [R]; numbers that are not finite make the scale not finite.
    """
    low, high = extremes(rows)
    scale = scale_to(np.maximum(-low, high), form.largest, size)
    return _power_of_two(scale) if form.scale_type == "f8e8m0" else scale


def scale_to(magnitude: FloatArray, largest: float, size: int) -> FloatArray:
    """The scale that makes a magnitude the largest number of a type."""
    if size >= _LARGE:
        return np.asarray(np.maximum(magnitude, EPS) / np.float32(largest), np.float32)
    scale = magnitude / np.float32(largest)
    return np.asarray(np.maximum(scale, EPS), np.float32)


def _power_of_two(scale: FloatArray) -> FloatArray:
    """The next power of two that is not less."""
    fraction, exponent = np.frexp(scale)
    exponent = np.clip(np.where(fraction == 0.5, exponent - 1, exponent), -127, 127)
    return np.asarray(np.where(np.isfinite(scale), np.ldexp(np.float32(1), exponent), scale), np.float32)


def two_level_scale(scale: FloatArray) -> tuple[FloatArray, float]:
    """Scales as numbers of f8e4m3, and the scale of all of them."""
    whole = scale_to(np.max(scale, keepdims=True), _LARGEST_E4M3, scale.size)
    return e4m3_values()[e4m3_bits(scale / whole)], float(whole.item())


def to_bits(rows: FloatArray, scale: FloatArray, form: WeightFormat) -> NDArray[np.uint8]:
    """The bits of rows as floating point numbers; the rows are overwritten.

    Args:
        rows: [R, row].
        scale: [R].
        form: The format.

    Returns:
        [R, row].
    """
    np.divide(rows, scale[:, None], out=rows)
    if form.storage == "nf4":
        return count_above(rows, _NF4_MIDPOINTS)
    if form.storage == "f8e4m3":
        return e4m3_bits(rows)
    sign = np.signbit(rows).view(np.uint8) * np.uint8(8)
    np.abs(rows, out=rows)
    bits = count_above(rows, _E2M1_ABOVE)
    for midpoint in _E2M1_FROM:
        bits += (rows >= midpoint).view(np.uint8)
    bits |= sign
    return bits


def from_bits(bits: Numbers, form: WeightFormat) -> FloatArray:
    """What the bits of floating point numbers stand for, before their scale."""
    return np.take(_values(form.storage), bits)


def e4m3_bits(x: FloatArray) -> NDArray[np.uint8]:
    """The bits of the nearest numbers in f8e4m3, through half precision."""
    return np.take(_e4m3_of_half(), x.astype(np.float16).view(np.uint16))


def count_above(x: FloatArray, midpoints: FloatArray | tuple[float, ...]) -> NDArray[np.uint8]:
    """The number of midpoints below each number: at most 255. Comparing all is faster than searching."""
    found = np.zeros(x.shape, np.uint8)
    for midpoint in midpoints:
        found += (x > np.float32(midpoint)).view(np.uint8)
    return found


@cache
def _values(storage: str) -> FloatArray:
    if storage == "f8e4m3":
        return e4m3_values()
    return _NF4 if storage == "nf4" else np.concatenate([_E2M1, -_E2M1])


@cache
def _e4m3_of_half() -> NDArray[np.uint8]:
    """Bits of f8e4m3 by the bits of a number in half precision; NaN where that is not finite."""
    half = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = np.isfinite(half)
    precision = Precision.FP8_E4M3
    found = np.full(half.shape, 0x7F, np.uint8)
    found[finite] = fp8_bytes(round_to_fp8(half[finite].astype(np.float32), precision), precision)
    return found


@cache
def e4m3_values() -> FloatArray:
    """The number of each byte in f8e4m3."""
    bits = np.arange(256)
    exponent, mantissa = bits >> 3 & 0xF, bits & 0x7
    magnitude = np.ldexp(np.where(exponent > 0, 8 + mantissa, mantissa), np.maximum(exponent, 1) - 10)
    magnitude[bits & 0x7F == 0x7F] = np.nan
    return np.asarray(np.where(bits & 0x80, -magnitude, magnitude), np.float32)
