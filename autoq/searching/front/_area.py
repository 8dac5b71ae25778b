"""The area under a front of two objectives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def staircase(points: Floats, reference: Floats) -> Floats:
    """The points below the reference that no other point beats, sorted by their first objective, [k, 2]."""
    inside = points[(points < reference).all(axis=1)]
    ordered = inside[np.lexsort((inside[:, 1], inside[:, 0]))]
    lowest = np.minimum.accumulate(ordered[:, 1])
    better = np.r_[True, lowest[1:] < lowest[:-1]] if len(ordered) else np.zeros(0, np.bool_)
    return np.asarray(ordered[better], np.float64)


def area(points: Floats, reference: Floats) -> float:
    """Area between a front and the reference point."""
    steps = staircase(points, reference)
    widths = np.diff(np.concatenate([steps[:, 0], reference[:1]]))
    return float(np.sum(widths * (reference[1] - steps[:, 1])))
