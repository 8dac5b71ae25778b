"""What is common to candidates that failed, and to none that was measured: others are tried first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoq.searching.sampler._encoding import Points

# One failure may be an accident.
_FEWEST_FAILURES = 2


def unsuspected(points: Points, failed: Points, measured: Points) -> Points:
    """Those of some points that differ most from the failed ones, by halves: who fails again is among fewer suspects.

    A suspect is a choice, of a unit or of a field, that every failed point has and no measured one; where failed points
    have none in common, one that any of them has. The reference of a unit is no suspect.

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
    parts = (points, failed, measured)
    most = Points(*(_most([getattr(part, name) for part in parts]) for name in ("taken", "fields")))
    had, taken = _features(failed, most), _features(measured, most).any(axis=0)
    suspects = had.all(axis=0) & ~taken
    if not suspects.any():
        suspects = had.any(axis=0) & ~taken
    count = (_features(points, most) & suspects).sum(axis=1)
    return points[count <= max(int(suspects.sum()) // 2, int(count.min()))]


def _most(parts: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
    """The largest place in each column, [columns]."""
    return np.asarray(np.max([part.max(axis=0, initial=0) for part in parts], axis=0), np.intp)


def _features(points: Points, most: Points) -> NDArray[np.bool_]:
    """Which options and which choices of fields the points have, [n, features]."""
    options = [points.taken[:, [unit]] == np.arange(1, last + 1) for unit, last in enumerate(most.taken.tolist())]
    chosen = [points.fields[:, [field]] == np.arange(last + 1) for field, last in enumerate(most.fields.tolist())]
    return np.hstack([np.zeros((len(points), 0), np.bool_), *options, *chosen])
