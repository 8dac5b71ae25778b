"""The surrogate models of both objectives, and their leave-one-out errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoq.searching.sampler._additive_process import AdditiveProcess
from autoq.searching.sampler._effects import DROP_PRIOR, LATENCY_PRIOR, Effects
from autoq.searching.sampler._encoding import Points
from autoq.searching.sampler._known_cost import KnownCost

Floats = NDArray[np.float64]

# The models are fitted to so many trials at most: those nearest to the front.
_MOST_FITTED = 300


@dataclass(frozen=True, slots=True)
class FrontModels:
    """The surrogate models of accuracy drop and cost.

    Attributes:
        effects: Their prior.
        drop: Model of the first objective.
        cost: Model of the second objective. The size of a plan is known without measurements.
        fitted: Numbers of the points that the models are fitted to.
    """

    effects: Effects
    drop: AdditiveProcess
    cost: AdditiveProcess | KnownCost
    fitted: NDArray[np.intp]

    @classmethod
    def fit(cls, points: Points, values: Floats, noise: Floats, effects: Effects) -> FrontModels:
        """Fits both models.

        Args:
            points: Measured points.
            values: Drop and cost, [n, 2].
            noise: Standard deviations of the measurements, [n, 2].
            effects: The prior.
        """
        fitted = np.arange(len(points))
        if len(points) > _MOST_FITTED:
            fitted = points_near(values, values.min(axis=0), _MOST_FITTED)
            points, values, noise = points[fitted], values[fitted], noise[fitted]
        drop, latency = effects.drop(points), effects.latency(points)
        known = bool(effects.encoding.units)
        cost: AdditiveProcess | KnownCost = KnownCost(latency, values[:, 1])
        if not effects.knows_cost:
            prior, y_scale = (LATENCY_PRIOR, 1.0) if known else (DROP_PRIOR, _size(values[:, 1]))
            cost = AdditiveProcess.fit(latency, values[:, 1], noise[:, 1], prior, y_scale=y_scale)
        of_drop = _size(values[:, 0] - drop.mean)
        return cls(
            effects,
            AdditiveProcess.fit(drop, values[:, 0], noise[:, 0], DROP_PRIOR, y_scale=of_drop),
            cost,
            fitted,
        )

    def predict(self, points: Points) -> tuple[Floats, Floats]:
        """Posterior mean and standard deviation of both objectives, [n, 2] each."""
        drop = self.drop.predict(self.effects.drop(points))
        cost = self.cost.predict(self.effects.latency(points))
        return np.column_stack([drop[0], cost[0]]), np.column_stack([drop[1], cost[1]])

    def settled(self) -> tuple[Floats, Floats]:
        """Posterior mean and standard deviation of both objectives of the fitted points, [n, 2] each.

        Unlike `predict`, it knows that a point deviates from the rest of the model by what was measured there.
        """
        means, sds = zip(self.drop.settled(), self.cost.settled(), strict=True)
        return np.column_stack(means), np.column_stack(sds)

    def leave_one_out(self) -> Floats:
        """Leave-one-out residuals of both objectives, [n, 2]."""
        return np.column_stack([self.drop.leave_one_out(), self.cost.leave_one_out()])


def points_near(values: Floats, reference: Floats, most: int = 16) -> NDArray[np.intp]:
    """Indices of the points on the front below the reference, then of those nearest to it, at most `most`."""
    extent = np.maximum(np.ptp(values, axis=0), 1e-12)
    beaten = (values[None] <= values[:, None]).all(axis=2) & (values[None] < values[:, None]).any(axis=2)
    excess = np.maximum(values - reference, 0.0) / extent
    order = np.lexsort((values[:, 1], beaten.sum(axis=1), excess.sum(axis=1)))
    return np.asarray(order[:most], np.intp)


def _size(values: Sequence[float] | Floats) -> float:
    """A typical size of values that may all be zero."""
    return max(float(np.sqrt(np.mean(np.square(values)))), 1e-9)
