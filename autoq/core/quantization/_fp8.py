"""8-bit floating point: scales, rounding and encoding of E4M3 and E5M2, as whole-array formulas.

| name  | meaning                                                        | shape             |
|-------|----------------------------------------------------------------|-------------------|
| scale | what values are multiplied by before they are rounded          | [channels] or [1] |
| x     | values                                                         | any               |

Scales: NNCF 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoq.core.quantization._numerics import FloatArray
from autoq.core.vocabulary import Precision

# Activations and whole weights use half of the range, so that values beyond those of calibration are not cut at once.
_HEADROOM = np.float32(0.5)
_LOWEST_HALF_EXPONENT, _HALF_MANTISSA_BITS = -14, 10


@dataclass(frozen=True, slots=True)
class Fp8Scale:
    """The numbers of one FakeConvert.

    Attributes:
        scale: float32 [channels] or [1].
        precision: E4M3 or E5M2.
    """

    scale: FloatArray
    precision: Precision

    @property
    def identity(self) -> bytes:
        """Bytes that are equal for equal numbers."""
        return str(self.precision).encode() + self.scale.tobytes()


def fp8_scale(minimum: FloatArray, maximum: FloatArray, precision: Precision, *, per_channel: bool) -> Fp8Scale:
    """Scales: `largest / max(maximum, |minimum| + eps)`, and half of that for a whole tensor.

    Args:
        minimum: [channels] or [1].
        maximum: Like `minimum`.
        precision: E4M3 or E5M2.
        per_channel: Whether each channel has a scale of its own.
    """
    low, high = np.asarray(minimum, np.float32), np.asarray(maximum, np.float32)
    magnitude = np.maximum(high, np.abs(low) + np.finfo(np.float32).eps)
    scale = np.float32(precision.highest) / magnitude
    return Fp8Scale(np.asarray(scale if per_channel else scale * _HEADROOM, np.float32), precision)


def lowest_exponent(precision: Precision) -> int:
    """The exponent of the smallest normal number. Below that number, the step does not change.

    Args:
        precision: E4M3 or E5M2.
    """
    exponent_bits = precision.bits - 1 - precision.mantissa_bits
    return int(2 - 2 ** (exponent_bits - 1))


def round_to_fp8(x: FloatArray, precision: Precision) -> FloatArray:
    """Rounds to the nearest number of the format, ties to even. Values beyond the largest number become that number.

    Args:
        x: Finite, any shape.
        precision: E4M3 or E5M2.

    Returns:
        Like `x`.
    """
    clipped = np.clip(x, precision.lowest, precision.highest)
    exponent = np.maximum(np.frexp(clipped)[1] - 1, lowest_exponent(precision))
    step = np.ldexp(np.float32(1), exponent - precision.mantissa_bits)
    return np.asarray(np.round(clipped / step) * step, np.float32)


def fp8_bytes(x: FloatArray, precision: Precision) -> NDArray[np.uint8]:
    """Bits of numbers of the format.

    The leading bits of a half precision number are those of the format, after a multiplication by a power of two that
    gives both the same lowest exponent.

    Args:
        x: Numbers of the format, as `round_to_fp8` gives them.
        precision: E4M3 or E5M2.

    Returns:
        Like `x`.
    """
    half = np.ldexp(x, _LOWEST_HALF_EXPONENT - lowest_exponent(precision)).astype(np.float16).view(np.uint16)
    magnitude = (half & 0x7FFF) >> (_HALF_MANTISSA_BITS - precision.mantissa_bits)
    return np.asarray((half >> 8) & 0x80 | magnitude, np.uint8)
