"""What the errors of the numbers of a weight count when its codebook is learned, by where they stand in its range.

A number x that is rounded to s e, an entry e times its scale, has the squared error s^2 (x / s - e)^2. So it counts as
much as x / s, times s^2 and the importance of its column.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoq.core import FloatArray, WeightFormat
from autoq.transform.compress._codebook_search import BINS
from autoq.transform.compress._encoded import Index, Layout, Numbers, by_block, extremes
from autoq.transform.compress._integers import EPS


def codebook_counts(
    weight: Numbers, form: WeightFormat, axes: Sequence[int], importance: FloatArray | None
) -> NDArray[np.float64]:
    """Counts by bins of numbers divided by their scales; all are finite where the weight is.

    Args:
        weight: float16, float32 or float64 of any shape; never modified.
        form: A format whose codebook is learned.
        axes: Reduced axes of the weight; one axis if there is an importance.
        importance: What the squared errors of each column count, [I], or [E, I] for the matrices of a stack; None if
            all count alike.

    Returns:
        [BINS].
    """
    layout = Layout.of(weight.shape, axes, form.group_size)
    counts = None
    if importance is not None:
        (axis,) = axes
        along = [1] * weight.ndim
        along[axis] = importance.shape[-1]
        if importance.ndim > 1:
            along[0] = len(importance)
        split = Layout.of(along, axes, form.group_size).shape
        counts = layout.by_scale(np.broadcast_to(importance.reshape(split), layout.shape))

    def counted(index: Index, rows: FloatArray) -> NDArray[np.float64]:
        low, high = extremes(rows)
        scale = np.maximum(np.maximum(-low, high), EPS)[:, None]
        shares = np.broadcast_to(np.square(scale), rows.shape)
        if counts is not None:
            shares = shares * counts[index].reshape(rows.shape)
        rows /= scale
        rows += np.float32(1)
        rows *= np.float32(BINS / 2)
        # Numbers that are not finite are refused when the weight is rounded.
        places = np.clip(np.nan_to_num(rows, copy=False), 0, BINS - 1).astype(np.intp)
        return np.asarray(np.bincount(places.reshape(-1), shares.reshape(-1), BINS), np.float64)

    return np.asarray(np.nan_to_num(np.sum(by_block(weight, layout, counted), axis=0)))
