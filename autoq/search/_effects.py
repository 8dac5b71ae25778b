"""How parameters act on the two objectives, before and besides what trials teach.

Accuracy: distortions of units nearly add up (HAWQ-V2, arXiv 1911.03852; AIMET's mixed precision), and a recipe
multiplies them. Latency: gains of units add up, less what converting between neighbours of different precision costs
(arXiv 2505.13060).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autoq.search._additive_process import Design
from autoq.search._encoding import Encoding, Points
from autoq.search._knowledge import Knowledge

Floats = NDArray[np.float64]

# Expected scales: of trend, units, neighbours, recipes, what is left, and what one plan has by itself; of latency in
# ratio, of drop in drops.
DROP_PRIOR = (1.0, 0.4, 0.15, 0.3, 0.15, 0.05)
LATENCY_PRIOR = (0.3, 0.2, 0.1, 0.1, 0.05, 0.005)
# A recipe makes distortion so many times smaller or larger at most, as far as it is believed.
_LARGEST_FACTOR = 10.0
# In the distance between two points, what a different recipe counts beside all units together.
_FIELD_SHARE = 0.25
# Expected cost of one border between precisions, as a share of an average unit's gain.
BORDER_SHARE = 0.2
_RUNTIME = "runtime_precision"
_TINY = 1e-30


@dataclass(frozen=True)
class Effects:
    """Designs of points for the models of accuracy drop and latency ratio.

    Attributes:
        encoding: Of the points.
        knowledge: What is known beforehand; None, in studies of other parameters, expects nothing.
    """

    encoding: Encoding
    knowledge: Knowledge | None = None

    @cached_property
    def distortion(self) -> Floats:
        """Of each unit alone, [units]; what could not be measured counts as the worst."""
        if self.knowledge is None:
            return np.full(len(self.encoding.units), 1.0)
        found = np.array([self.knowledge.distortion.get(unit, np.inf) for unit in self.encoding.units])
        finite = found[np.isfinite(found)]
        return np.where(np.isfinite(found), found, finite.max() if finite.size else 1.0)

    @cached_property
    def forbidden(self) -> NDArray[np.bool_]:
        """Units that the device fails to run in int8, [units]."""
        if self.knowledge is None:
            return np.zeros(len(self.encoding.units), np.bool_)
        return np.array([np.isinf(self.knowledge.distortion.get(unit, 0.0)) for unit in self.encoding.units], np.bool_)

    @cached_property
    def gain(self) -> Floats:
        """Expected fall of the latency ratio by unit, [units]."""
        if self.knowledge is None:
            return np.zeros(len(self.encoding.units))
        return np.array([self.knowledge.gains.get(unit, 0.0) for unit in self.encoding.units])

    @cached_property
    def pairs(self) -> NDArray[np.intp]:
        """Neighbouring units, [pairs, 2]."""
        index = {unit: number for number, unit in enumerate(self.encoding.units)}
        known = () if self.knowledge is None else self.knowledge.neighbours
        found = [(index[a], index[b]) for a, b in known if a in index and b in index]
        return np.array(found, np.intp).reshape(-1, 2)

    @cached_property
    def interaction(self) -> Floats:
        """Distortion that each pair of neighbours adds to that of both alone, [pairs]."""
        if self.knowledge is None:
            return np.zeros(len(self.pairs))
        known, units = self.knowledge.interactions, self.encoding.units
        return np.array([known.get((units[a], units[b]), known.get((units[b], units[a]), 0.0)) for a, b in self.pairs])

    @cached_property
    def log_factors(self) -> tuple[Floats, ...]:
        """By field and choice, logarithm of the factor on the distortion."""
        factors = []
        for name, choices in self.encoding.fields.items():
            known = {} if self.knowledge is None else self.knowledge.recipes.get(name, {})
            whole = 1.0 if self.knowledge is None else self.knowledge.whole
            values = np.array([known.get(choice, whole) for choice in choices], np.float64)
            if not 0 < whole < np.inf:
                # The device fails to run it, or nothing distorts: the least of the others is what to compare with.
                whole = np.min(values, where=np.isfinite(values) & (values > 0), initial=np.inf)
                whole = whole if np.isfinite(whole) else 1.0
            ratios = np.where(np.isfinite(values), values, np.inf) / whole
            factors.append(np.log(np.clip(ratios, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)))
        return tuple(factors)

    def predicted_distortion(self, points: Points) -> Floats:
        """Of each point, as a share of that of the whole model in int8 with the default recipe, [n]."""
        added = self._additive(points.int8) / self._total
        logs = sum(
            (factors[points.choices[:, field]] for field, factors in enumerate(self.log_factors)),
            np.zeros(len(points)),
        )
        return np.asarray(added * np.exp(logs), np.float64)

    def drop(self, points: Points) -> Design:
        """For the accuracy drop."""
        if not self.encoding.units:
            return self._generic(points)
        distortion = self.predicted_distortion(points)
        root = np.sqrt(distortion)
        shares = _shares(self.distortion)
        both = points.int8[:, self.pairs[:, 0]] & points.int8[:, self.pairs[:, 1]]
        return Design(
            mean=np.zeros(len(points)),
            blocks=(
                np.column_stack([distortion, root / 2]),
                np.asarray(points.int8 * np.sqrt(shares), np.float64),
                self._spread(both),
                self._one_hot(points) * root[:, None],
            ),
            amount=np.minimum(root, 1.0),
            coordinates=self._coordinates(points, shares),
        )

    def latency(self, points: Points) -> Design:
        """For the latency ratio."""
        if not self.encoding.units:
            return self._generic(points)
        shares = _shares(np.maximum(self.gain, 0.0))
        part = points.int8 @ shares
        differ = points.int8[:, self.pairs[:, 0]] != points.int8[:, self.pairs[:, 1]]
        gained = points.int8 @ self.gain
        borders = differ.sum(axis=1) * self.border_cost
        return Design(
            mean=1.0 - gained + borders,
            blocks=(
                np.column_stack([part, differ.sum(axis=1) / max(len(self.pairs), 1)]),
                np.asarray(points.int8 * np.sqrt(shares), np.float64),
                self._spread(differ),
                # What is left in float is as fast as the runtime's precision makes it, which can be several times.
                np.hstack(
                    [
                        self._one_hot(points) * part[:, None],
                        self._one_hot(points, only=_RUNTIME) * (1 - part)[:, None] / LATENCY_PRIOR[3],
                    ]
                ),
            ),
            amount=np.sqrt(part),
            coordinates=self._coordinates(points, shares),
        )

    @property
    def shares(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """How the weights of trend and units act by unit: on the drop, and on the latency ratio, [units] each."""
        gained = _shares(np.maximum(self.gain, 0.0))
        return (self.distortion / self._total, np.sqrt(_shares(self.distortion))), (gained, np.sqrt(gained))

    @cached_property
    def border_cost(self) -> float:
        """Expected cost of one border between precisions, in latency ratio."""
        return BORDER_SHARE * float(np.maximum(self.gain, 0.0).mean()) if self.gain.size else 0.0

    @cached_property
    def _total(self) -> float:
        """Distortion of all units together, as it adds up."""
        return max(float(self._additive(np.ones((1, len(self.distortion)), np.bool_))[0]), _TINY)

    def _additive(self, int8: NDArray[np.bool_]) -> Floats:
        both = int8[:, self.pairs[:, 0]] & int8[:, self.pairs[:, 1]]
        return np.maximum(int8 @ self.distortion + both @ self.interaction, 0.0)

    def _spread(self, pairs: NDArray[np.bool_]) -> Floats:
        """Columns by pair, scaled so that all together count as one, [n, pairs]."""
        return np.asarray(pairs / np.sqrt(max(len(self.pairs), 1)), np.float64)

    def _one_hot(self, points: Points, only: str | None = None) -> Floats:
        """Which choices other than the first were made, [n, choices]."""
        columns = [
            points.choices[:, [field]] == np.arange(1, len(choices))
            for field, (name, choices) in enumerate(self.encoding.fields.items())
            if only is None or name == only
        ]
        return np.hstack([np.zeros((len(points), 0)), *columns])

    def _coordinates(self, points: Points, shares: Floats) -> Floats:
        return np.hstack([points.int8 * np.sqrt(shares), self._all_choices(points)])

    def _all_choices(self, points: Points) -> Floats:
        columns = [
            (points.choices[:, [field]] == np.arange(len(choices))) * np.sqrt(_FIELD_SHARE / 2)
            for field, choices in enumerate(self.encoding.fields.values())
        ]
        return np.hstack([np.zeros((len(points), 0)), *columns])

    def _generic(self, points: Points) -> Design:
        """For parameters of which nothing is known."""
        n = len(points)
        nothing = np.zeros((n, 0))
        return Design(
            mean=np.zeros(n),
            blocks=(np.ones((n, 1)), nothing, nothing, self._one_hot(points)),
            amount=np.ones(n),
            coordinates=self._all_choices(points),
        )


def _shares(sizes: Sequence[float] | Floats) -> Floats:
    """Half by size, half alike, [units]; sums to 1."""
    values = np.asarray(sizes, np.float64)
    alike = np.full(len(values), 1 / max(len(values), 1))
    total = values.sum()
    return np.asarray((values / total + alike) / 2 if total > 0 else alike, np.float64)
