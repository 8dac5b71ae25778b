"""The error of a weight in 8 bits, by which NNCF ranks weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from autoq.core import FloatArray, WeightFormat, WeightMode
from autoq.transform.compress._encoded import Layout, Numbers, rows_of
from autoq.transform.compress._integers import from_integers, integer_scales, to_integers

_FORMAT = WeightFormat(WeightMode.INT8_ASYM)


def weight_error(weight: Numbers, axes: Sequence[int]) -> float:
    """The largest mean squared error of a channel, with integers of 8 bits and one scale for each channel.

    Args:
        weight: float16, float32 or float64 of any shape; never modified.
        axes: Reduced axes.
    """
    return max((float(part.mean(axis=1).max()) for part in _squared_errors(weight, axes)), default=0.0)


def weight_noise(weight: Numbers, axes: Sequence[int]) -> float:
    """The root of the sum of squared errors, with integers of 8 bits and one scale for each channel.

    Args:
        weight: float16, float32 or float64 of any shape; never modified.
        axes: Reduced axes.
    """
    return float(np.sqrt(sum(float(part.sum(dtype=np.float64)) for part in _squared_errors(weight, axes))))


def _squared_errors(weight: Numbers, axes: Sequence[int]) -> Iterator[FloatArray]:
    """Squared errors of blocks of rows, [R, row]."""
    with np.errstate(invalid="ignore", over="ignore"):
        for _, rows in rows_of(weight, Layout.of(weight.shape, axes, -1)):
            scale, zero_point = integer_scales(rows, _FORMAT)
            numbers = to_integers(rows.copy(), scale, zero_point, _FORMAT)
            error = from_integers(numbers, None if zero_point is None else zero_point[:, None])
            error *= scale[:, None]
            error -= rows
            yield np.square(error, out=error)
