"""What is common to candidates that failed, and to none that was measured: others are tried first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoq.searching.sampler._encoding import Points

# One failure may be an accident.
_FEWEST_FAILURES = 2


def unsuspected(points: Points, failed: Points, measured: Points) -> Points:
    """Those of some points that differ most from the failed ones, by halves: who fails again is among fewer suspects.

    A suspect is a unit in int8, or a choice, that every failed point has and no measured one; where failed points have
    none in common, one that any of them has.

    Args:
        points: Candidates.
        failed: Of the same encoding.
        measured: Likewise.

    Returns:
        Where there is one suspect, those without it; where there are more, those with half of them at most. Where all
        have more, those that have the fewest.
    """
    if len(failed) < _FEWEST_FAILURES or not len(points):
        return points
    sizes = np.max([part.choices.max(axis=0, initial=0) for part in (points, failed, measured)], axis=0) + 1
    had, taken = _features(failed, sizes), _features(measured, sizes).any(axis=0)
    suspects = had.all(axis=0) & ~taken
    if not suspects.any():
        suspects = had.any(axis=0) & ~taken
    count = (_features(points, sizes) & suspects).sum(axis=1)
    return points[count <= max(int(suspects.sum()) // 2, int(count.min()))]


def _features(points: Points, sizes: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which units are int8, and which choices are made, [n, features]."""
    chosen = [points.choices[:, [field]] == np.arange(size) for field, size in enumerate(sizes.tolist())]
    return np.hstack([points.int8, *chosen])
