"""What further measurements are expected to add to a front: a new plan, more samples of an old one, another timing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoq.searching.front import area, staircase
from autoq.searching.sampler._expected_improvement import expected_improvement

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prospects:
    """Values of the next measurements, as shares of the hypervolume of the present front.

    Attributes:
        trial: Number of the trial that is proposed.
        proposal: Expected hypervolume improvement by the proposal.
        beyond: The largest expected improvement of all candidates over a front that is better by what measurements
            cannot resolve.
        samples: Value of more samples, by the number of a trial.
        timing: Value of another timing, by the number of a trial.
    """

    trial: int
    proposal: float
    beyond: float
    samples: Mapping[int, float]
    timing: Mapping[int, float]


Told = Callable[[Prospects], None]


def values_of_information(mean: Floats, sd: Floats, finer: Floats, reference: Floats) -> Floats:
    """How much the hypervolume is expected to grow when one objective of one point becomes better known.

    With the new knowledge, the posterior mean of the point moves by a normal variable, whose variance is the decrease
    of the posterior variance. The hypervolume of the front with the moved point is compared with that of the front with
    the present mean (knowledge gradient: Frazier, Powell and Dayanik, "The knowledge-gradient policy for correlated
    normal beliefs", 2009).

    Args:
        mean: Posterior means of both objectives of the measured points, [n, 2].
        sd: Their standard deviations, [n, 2].
        finer: Standard deviations after a further measurement, [n, 2].
        reference: Reference point of the hypervolume, [2].

    Returns:
        The values, [n, 2]; 0 where nothing more can be known.
    """
    moves = np.sqrt(np.maximum(sd**2 - finer**2, 0.0))
    steps = staircase(mean, reference)
    found = np.zeros_like(mean)
    for point in np.flatnonzero(moves.any(axis=1)):
        own = mean[point : point + 1]
        # A point below the front changes nothing when it is left out.
        others = np.delete(mean, point, axis=0) if (steps == own).all(axis=1).any() else steps
        certain = expected_improvement(own, np.zeros((1, 2)), others, reference)[0]
        for objective in np.flatnonzero(moves[point]):
            moved = np.zeros((1, 2))
            moved[0, objective] = moves[point, objective]
            found[point, objective] = expected_improvement(own, moved, others, reference)[0] - certain
    return np.maximum(found, 0.0)


def sharper(sd: Floats, noise: Floats, finer: Floats) -> Floats:
    """Posterior standard deviations after the noise of the measurements has become smaller, [n, 2].

    The precision of a posterior grows by that of its measurement.

    Args:
        sd: Posterior standard deviations, with the noise as it is.
        noise: Standard deviations of the measurements.
        finer: The same after further measurements; 0 is exact.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        gained = np.where(finer < noise, 1 / np.square(finer) - 1 / np.square(noise), 0.0)
        return np.where(sd > 0, 1 / np.sqrt(1 / np.square(sd) + gained), 0.0)


def unresolved(mean: Floats, sd: Floats, front: Floats, resolution: Floats, reference: Floats) -> float:
    """The largest expected improvement of candidates over a front that is better by what cannot be resolved.

    Args:
        mean: Posterior means of the candidates, [n, 2].
        sd: Their standard deviations, [n, 2].
        front: Posterior means of the measured points, [m, 2].
        resolution: Differences of both objectives that measurements cannot tell, [2].
        reference: Reference point of the hypervolume, [2].
    """
    return float(expected_improvement(mean, sd, front - resolution, reference).max(initial=0.0))


def scale_of(front: Floats, reference: Floats) -> float:
    """Hypervolume of a front, which other values are shares of; 1 for an empty one."""
    return area(front, reference) or 1.0
