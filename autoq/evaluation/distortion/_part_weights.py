"""Outputs that hold numbers of two units, as detectors give boxes in pixels beside scores: each unit weighs the same.

A squared error over the variance of all numbers would see nothing but the pixels: their variance is a million times as
large. So the two parts of such an output count like two outputs.

| symbol | is                                                                       |
|--------|--------------------------------------------------------------------------|
| m      | mean squares, one for each place along an axis; places of zeros have none |
| S, S_p | sum of squared deviations from the mean: of the output, of a part        |
| w      | weight of a squared error: S / (2 S_p)                                   |

So the sum of w times squared errors, over S, is the mean over the parts of their own squared errors over S_p.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Neighbours among mean squares that are so many times apart are of two units.
_GAP = 1e3


def part_weights(values: Sequence[NDArray[Any]]) -> NDArray[np.float64] | None:
    """Weights of squared errors, if an output has two parts; None where all of it has one unit.

    1. Parts lie along the second or the last axis, where its length is the same in all arrays.
    2. The widest gap between mean squares, in their order, divides the parts, if it is wide enough.
    3. Values in [0, 1] are shares: a class that never comes is no part.
    4. Places of zeros belong to the larger part. A part that does not vary is none.

    Args:
        values: The float model's values of one output, by input or chunk.

    Returns:
        Weights that can be multiplied by the values: of their number of axes, as long as they are along one of these,
        and of length one along the others.
    """
    first = values[0] if values else np.zeros(0)
    if first.ndim < 2 or first.dtype.kind != "f" or any(array.ndim != first.ndim for array in values):
        return None
    if all(not array.size or (array.min() >= 0 and array.max() <= 1) for array in values):
        return None
    found = [_divided(values, axis) for axis in sorted({1, first.ndim - 1})]
    gap, axis, small = max(found, key=lambda each: each[0])
    if gap < _GAP:
        return None
    whole = _deviations(values)
    parts = [_deviations([np.compress(own, array, axis) for array in values]) for own in (small, ~small)]
    if not min(parts) > 0:
        return None
    shape = np.ones(first.ndim, int)
    shape[axis] = len(small)
    return np.where(small, *(whole / (2 * part) for part in parts)).reshape(shape)


def _divided(values: Sequence[NDArray[Any]], axis: int) -> tuple[float, int, NDArray[np.bool_]]:
    """The widest gap between mean squares along an axis, the axis, and which places lie below the gap."""
    length = values[0].shape[axis]
    nothing = 1.0, axis, np.zeros(length, bool)
    if length < 2 or any(array.shape[axis] != length for array in values):
        return nothing
    squares = np.zeros(length)
    for array in values:
        places = np.moveaxis(array, axis, 0).reshape(length, -1)
        squares += np.einsum("ij,ij->i", places, places, dtype=np.float64)
    ordered = np.sort(squares[squares > 0])
    if len(ordered) < 2 or not np.isfinite(ordered[-1]):
        return nothing
    ratios = ordered[1:] / ordered[:-1]
    widest = int(ratios.argmax())
    return float(ratios[widest]), axis, (squares > 0) & (squares <= ordered[widest])


def _deviations(values: Sequence[NDArray[Any]]) -> float:
    """Sum of the squared deviations from the mean."""
    mean = sum(float(array.sum(dtype=np.float64)) for array in values) / max(sum(array.size for array in values), 1)
    return sum(float(np.square(array - mean, dtype=np.float64).sum()) for array in values)
