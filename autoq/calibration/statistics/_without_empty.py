"""Samples on which a tensor is empty say nothing of it.

Behind a selection, as of the boxes that a detector pools from one level of its features, a tensor may have no numbers.
OpenVINO gives the largest number of single precision as the minimum of nothing, and its negative as the maximum.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from autoq.calibration.statistics._taps import Statistic, Tap
from autoq.core import FloatArray
from autoq.graph import Tensor

_MOST = np.finfo(np.float32).max
_OF_NOTHING = {Statistic.MIN: _MOST, Statistic.MAX: -_MOST}


def without_empty(table: FloatArray, columns: Mapping[Tap, tuple[int, int]]) -> tuple[FloatArray, frozenset[Tensor]]:
    """Statistics in which samples without numbers do not count.

    1. Where a tensor is empty on some samples, these get the mean of the others.
    2. Where it is empty on all, they get zeros.

    Args:
        table: Statistics, [samples, columns]; never modified.
        columns: First column of each tap, and one past its last.

    Returns:
        The statistics, and the tensors of case 2.
    """
    empty: dict[Tensor, NDArray[np.bool_]] = {}
    for tap, (start, stop) in columns.items():
        nothing = _OF_NOTHING.get(tap.statistic)
        if nothing is not None and stop > start and (rows := (table[:, start:stop] == nothing).all(axis=1)).any():
            empty[tap.tensor] = rows
    if not empty:
        return table, frozenset()
    filled = table.copy()
    for tap, (start, stop) in columns.items():
        found = empty.get(tap.tensor)
        if found is not None:
            filled[found, start:stop] = 0 if found.all() else table[~found, start:stop].mean(axis=0)
    return filled, frozenset(tensor for tensor, rows in empty.items() if rows.all())
