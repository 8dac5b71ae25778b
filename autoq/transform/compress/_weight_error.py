"""The error of a weight in 8 bits, by which NNCF ranks weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autoq.core import FloatArray, WeightFormat, WeightMode
from autoq.transform.compress._encoded import Index, Layout, Numbers, by_block
from autoq.transform.compress._integers import from_integers, integer_scales, to_integers

_FORMAT = WeightFormat(WeightMode.INT8_ASYM)


def weight_error(weight: Numbers, axes: Sequence[int]) -> float:
    """The largest mean squared error of a channel, with integers of 8 bits and one scale for each channel.

    Args:
        weight: float16, float32 or float64 of any shape; never modified.
        axes: Reduced axes.
    """

    def largest(_: Index, rows: FloatArray) -> float:
        return float(_squared_error(rows).mean(axis=1).max())

    return max(by_block(weight, Layout.of(weight.shape, axes, -1), largest))


def weight_noise(weight: Numbers, axes: Sequence[int]) -> float:
    """The root of the sum of squared errors, with integers of 8 bits and one scale for each channel.

    Args:
        weight: float16, float32 or float64 of any shape; never modified.
        axes: Reduced axes.
    """

    def total(_: Index, rows: FloatArray) -> float:
        return float(_squared_error(rows).sum(dtype=np.float64))

    return float(np.sqrt(sum(by_block(weight, Layout.of(weight.shape, axes, -1), total))))


def _squared_error(rows: FloatArray) -> FloatArray:
    """Squared errors of rows, [R, row]."""
    scale, zero_point = integer_scales(rows, _FORMAT)
    numbers = to_integers(rows.copy(), scale, zero_point, _FORMAT)
    error = from_integers(numbers, None if zero_point is None else zero_point[:, None])
    error *= scale[:, None]
    error -= rows
    return np.square(error, out=error)
