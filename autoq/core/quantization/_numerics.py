"""Ranges and rounding of uniform quantizers, as whole-array formulas.

| name     | meaning                                             | shape                     |
|----------|-----------------------------------------------------|---------------------------|
| minimum  | smallest value of each channel                      | [channels], or [1]        |
| maximum  | largest value of each channel                       | like `minimum`            |
| low, high| limits of the quantizer, the FakeQuantize inputs    | like `minimum`            |
| levels   | number of quantization levels                       | scalar                    |
| signed   | whether integer levels lie on both sides of zero    | scalar                    |

Formulas: NNCF 3.4, OpenVINO backend (symmetric and asymmetric ranges of its min-max algorithm), and the FakeQuantize
operation of the OpenVINO operation set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# Narrower ranges are widened to these: a constant channel must have a scale too.
_SYMMETRIC_FLOOR_SHARE = 0.01
_RANGE_FLOOR = 8e-5
_ASYMMETRIC_FLOOR = 8e-4


@dataclass(frozen=True, slots=True)
class QuantizerLimits:
    """The numbers of one FakeQuantize; input and output limits are the same.

    Attributes:
        low: Lower limits, float32 [channels] or [1].
        high: Upper limits, like `low`.
        levels: Number of quantization levels.
    """

    low: FloatArray
    high: FloatArray
    levels: int

    @property
    def identity(self) -> bytes:
        """Bytes that are equal for equal numbers."""
        return str(self.levels).encode() + self.low.tobytes() + self.high.tobytes()


def symmetric_limits(
    minimum: FloatArray, maximum: FloatArray, *, bits: int = 8, narrow_range: bool = False, signed: bool | None = None
) -> QuantizerLimits:
    """Limits of a symmetric quantizer.

    `high = max(absmax, max(0.01 * max over channels of absmax, 8e-5))`. `low` is `-high` in narrow range (2^bits - 1
    levels), `-high * 2^(bits-1) / (2^(bits-1) - 1)` with all levels, and 0 for an unsigned quantizer.

    Args:
        minimum: [channels] or [1].
        maximum: Like `minimum`.
        bits: Width of the integer.
        narrow_range: Whether the lowest level is left out, so that the levels are symmetric about zero.
        signed: Whether the quantizer is signed; None decides by the data: signed if the minimum of any channel is
            negative.
    """
    minimum, maximum = np.asarray(minimum, np.float32), np.asarray(maximum, np.float32)
    absmax = np.maximum(np.abs(minimum), np.abs(maximum))
    high = np.maximum(absmax, max(np.float32(_SYMMETRIC_FLOOR_SHARE) * absmax.max(initial=0), _RANGE_FLOOR))
    levels = 2**bits - 1 if narrow_range else 2**bits
    if signed is None:
        signed = bool(np.any(minimum < 0))
    if not signed:
        low = np.zeros_like(high)
    elif narrow_range:
        low = -high
    else:
        low = (-high * np.float32(2 ** (bits - 1) / (2 ** (bits - 1) - 1))).astype(np.float32)
    return QuantizerLimits(low.astype(np.float32), high.astype(np.float32), levels)


def asymmetric_limits(minimum: FloatArray, maximum: FloatArray, *, bits: int = 8) -> QuantizerLimits:
    """Limits of an asymmetric quantizer, moved so that zero is exactly one of the levels.

    If zero is nearest to the lowest or the highest level, but not on it, the limits are not moved, as in NNCF.

    Args:
        minimum: [channels] or [1].
        maximum: Like `minimum`.
        bits: Width of the integer.
    """
    low, high = np.asarray(minimum, np.float64), np.asarray(maximum, np.float64)
    margin = np.where(high - low > _ASYMMETRIC_FLOOR, 0, _ASYMMETRIC_FLOOR)
    low, high = np.minimum(low - margin, 0.0), np.maximum(high + margin, 0.0)
    return QuantizerLimits(*_align_zero(low, high, 2**bits), levels=2**bits)


def _align_zero(low: NDArray[np.float64], high: NDArray[np.float64], levels: int) -> tuple[FloatArray, FloatArray]:
    """Moves one limit of each channel outwards, so that zero is a level."""
    top = levels - 1
    zero = np.round(-low * top / (high - low))
    with np.errstate(divide="ignore", invalid="ignore"):
        moved_low = np.where(zero < top, zero / (zero - top) * high, low)
        moved_high = np.where(zero > 0, (zero - top) / zero * low, high)
    keep_high = (high - moved_low) > (moved_high - low)
    inside = (zero > 0) & (zero < top)
    aligned_low = np.where(inside & keep_high, moved_low, low)
    aligned_high = np.where(inside & ~keep_high, moved_high, high)
    return aligned_low.astype(np.float32), aligned_high.astype(np.float32)


def half_range_limits(
    minimum: FloatArray, maximum: FloatArray, *, bits: int = 8, narrow_range: bool = True
) -> QuantizerLimits:
    """Signed symmetric limits that use one bit less. They are computed for fewer bits, then scaled to all levels.

    With 8 bits, the sum of products of u8 activations and two adjacent weights can then not saturate 16 bits, as it
    otherwise can on CPUs without VNNI.

    Args:
        minimum: [channels] or [1].
        maximum: Like `minimum`.
        bits: Width of the integer.
        narrow_range: Whether the lowest level is left out.
    """
    fewer = symmetric_limits(minimum, maximum, bits=bits - 1, narrow_range=narrow_range, signed=True)
    levels = 2**bits - 1 if narrow_range else 2**bits
    scale = np.float32((levels - 1) / (2 ** (bits - 1) - 1))
    return QuantizerLimits(fewer.low * scale, fewer.high * scale, levels)


def fake_quantize(x: FloatArray, low: FloatArray, high: FloatArray, levels: int) -> FloatArray:
    """The FakeQuantize operation with equal input and output limits; it rounds half to even.

    Args:
        x: Any shape.
        low: Broadcastable to `x`.
        high: Like `low`.
        levels: Number of levels.

    Returns:
        Like `x`.
    """
    level = quantization_level(x, low, high, levels)
    level *= (high - low) / np.float32(levels - 1)
    level += low
    return level


def quantization_level(x: FloatArray, low: FloatArray, high: FloatArray, levels: int) -> FloatArray:
    """The level to which FakeQuantize rounds each value, counted from the lowest.

    The operations have OpenVINO's order: weights in half range lie exactly between two levels, and another order would
    round some of them the other way.

    Args:
        x: Any shape.
        low: Broadcastable to `x`.
        high: Like `low`.
        levels: Number of levels.

    Returns:
        Whole numbers in 0..levels-1, like `x`.
    """
    level = np.asarray(np.clip(x, low, high), np.float32)  # a new array, which is changed in place
    level -= low
    level /= high - low
    level *= np.float32(levels - 1)
    return np.round(level, out=level)
