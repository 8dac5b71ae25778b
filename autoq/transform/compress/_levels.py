"""Rounding to the numbers that a format has before their scale, elementwise for arrays of any shape."""

from __future__ import annotations

from typing import assert_never

import numpy as np

from autoq.core import FloatArray, NumberFamily, WeightFormat
from autoq.transform.compress._codebooks import from_places, to_places
from autoq.transform.compress._floats import from_bits, to_bits


def nearest_level(ratio: FloatArray, form: WeightFormat, zero_point: FloatArray | None = None) -> FloatArray:
    """The nearest numbers of a format, less the zero point.

    Args:
        ratio: Numbers divided by their scale, float32; overwritten.
        form: The format.
        zero_point: Zero points of integers that have them, in a shape that broadcasts.

    Returns:
        float32, shape of `ratio`.
    """
    match form.family:
        case NumberFamily.INTEGER:
            if zero_point is not None:
                ratio += zero_point
            np.rint(ratio, out=ratio)
            np.clip(ratio, *form.levels, out=ratio)
            if zero_point is not None:
                ratio -= zero_point
            return ratio
        case NumberFamily.FLOAT:
            rows = ratio.reshape(1, -1)
            return from_bits(to_bits(rows, np.ones(1, np.float32), form), form).reshape(ratio.shape)
        case NumberFamily.CODEBOOK:
            rows = ratio.reshape(1, -1)
            return from_places(to_places(rows, np.ones(1, np.float32), form), form).reshape(ratio.shape)
        case family:
            assert_never(family)
