"""8-bit floating point: scales, rounding and encoding of E4M3 and E5M2, as whole-array formulas.

| name  | meaning                                                        | shape             |
|-------|----------------------------------------------------------------|-------------------|
| scale | what values are multiplied by before they are rounded          | [channels] or [1] |
| x     | values                                                         | any               |

Formats: Micikevicius et al., "FP8 formats for deep learning", 2022, table 1; E4M3 without infinities. Scales: NNCF 3.4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoq.core._numerics import FloatArray
from autoq.core._vocabulary import Precision


@dataclass(frozen=True, slots=True)
class Fp8Format:
    """One format.

    Attributes:
        mantissa_bits: Explicit bits of the mantissa.
        lowest_exponent: Of normal numbers; below it the step stays the same.
        largest: Largest finite value; what is larger becomes it.
    """

    mantissa_bits: int
    lowest_exponent: int
    largest: float


FP8_FORMATS = {
    Precision.FP8_E4M3: Fp8Format(mantissa_bits=3, lowest_exponent=-6, largest=448.0),
    Precision.FP8_E5M2: Fp8Format(mantissa_bits=2, lowest_exponent=-14, largest=57344.0),
}
# Activations and whole weights use half of the range: values beyond what calibration saw are not cut at once.
_HEADROOM = np.float32(0.5)


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
        """Equal where the numbers are."""
        return str(self.precision).encode() + self.scale.tobytes()


def fp8_scale(minimum: FloatArray, maximum: FloatArray, precision: Precision, *, per_channel: bool) -> Fp8Scale:
    """`largest / max(maximum, |minimum| + eps)`, half of it for a whole tensor.

    Args:
        minimum: [channels] or [1].
        maximum: Like `minimum`.
        precision: E4M3 or E5M2.
        per_channel: Whether each channel has a scale of its own.
    """
    low, high = np.asarray(minimum, np.float32), np.asarray(maximum, np.float32)
    magnitude = np.maximum(high, np.abs(low) + np.finfo(np.float32).eps)
    scale = np.float32(FP8_FORMATS[precision].largest) / magnitude
    return Fp8Scale(np.asarray(scale if per_channel else scale * _HEADROOM, np.float32), precision)


def round_to_fp8(x: FloatArray, precision: Precision) -> FloatArray:
    """The nearest number of the format, ties to even; beyond the largest number, that one.

    Args:
        x: Finite, any shape.
        precision: E4M3 or E5M2.

    Returns:
        Like `x`.
    """
    form = FP8_FORMATS[precision]
    clipped = np.clip(x, -form.largest, form.largest)
    exponent = np.maximum(np.frexp(clipped)[1] - 1, form.lowest_exponent)
    step = np.ldexp(np.float32(1), exponent - form.mantissa_bits)
    return np.asarray(np.round(clipped / step) * step, np.float32)


def fp8_bytes(x: FloatArray, precision: Precision) -> NDArray[np.uint8]:
    """Bits of numbers of the format.

    A half precision number has the exponent of E5M2, and so has 2^-8 of a number that of E4M3: its leading bits are
    what is looked for.

    Args:
        x: What `round_to_fp8` gives.
        precision: E4M3 or E5M2.

    Returns:
        Like `x`.
    """
    if precision is Precision.FP8_E5M2:
        return np.asarray(x.astype(np.float16).view(np.uint16) >> 8, np.uint8)
    half = (x * np.float32(2**-8)).astype(np.float16).view(np.uint16)
    return np.asarray((half >> 8) & 0x80 | (half & 0x7FFF) >> 7, np.uint8)
