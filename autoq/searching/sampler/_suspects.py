"""Suspects: choices that failed candidates share. Candidates without them are tried first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoq.searching.sampler._encoding import Points

# One failure may be an accident.
_FEWEST_FAILURES = 2


def unsuspected(points: Points, failed: Points, measured: Points) -> Points:
    """The points with at most half of the suspects, so that each further failure halves their number.

    A suspect is a choice of a unit or of a field that every failed point has and no measured point has. If the failed
    points share none, each of their choices that no measured point has is a suspect. The reference of a unit is none.

    Args:
        points: Candidates.
        failed: Failed points.
        measured: Measured points.

    Returns:
        With one suspect, the candidates without it. With several, the candidates that have at most half of them; if
        all have more, the candidates with the fewest.
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
