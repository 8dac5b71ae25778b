"""The acquisition function: expected hypervolume improvement, in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from autoq.searching.front import staircase

Floats = NDArray[np.float64]


def expected_improvement(mean: Floats, sd: Floats, front: Floats, reference: Floats) -> Floats:
    """Expected hypervolume improvement of candidates whose two objectives are independent and normal.

    The steps of the front cut the plane into strips. The point (a, b) adds, in each strip, the length right of a times
    the height above b. Both have known expectations and are independent (Emmerich, Deutz and Klinkenberg,
    "Hypervolume-based expected improvement", 2011; strips as in Yang et al., "Efficient computation of expected
    hypervolume improvement", 2017).

    Args:
        mean: Posterior means of both objectives, which are minimized, [n, 2].
        sd: Posterior standard deviations; 0 is certain, [n, 2].
        front: Points in any order; dominated points do no harm, [m, 2].
        reference: Reference point of the hypervolume, [2].

    Returns:
        Expected increase of the hypervolume, [n].
    """
    steps = staircase(front, reference)
    edges = np.concatenate([steps[:, 0], reference[:1]])
    heights = np.concatenate([reference[1:], steps[:, 1]])
    # Expected length right of the point of each strip; the first one has no left edge.
    lengths = _expected_excess(edges, mean[:, :1], sd[:, :1])
    lengths[:, 1:] -= lengths[:, :-1].copy()
    result: Floats = np.sum(lengths * _expected_excess(heights, mean[:, 1:], sd[:, 1:]), axis=1)
    return np.maximum(result, 0.0)


def _expected_excess(bounds: Floats, mean: Floats, sd: Floats) -> Floats:
    """Expectation of max(bound - X, 0), [n, bounds]."""
    gap = bounds[None, :] - mean
    safe = np.where(sd > 0, sd, 1.0)
    z = gap / safe
    spread = gap * ndtr(z) + safe * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return np.asarray(np.where(sd > 0, spread, np.maximum(gap, 0.0)), np.float64)
