"""How parameters act on the two objectives, before and besides what trials teach.

Accuracy: distortions of units nearly add up (HAWQ-V2, arXiv 1911.03852; AIMET's mixed precision), a recipe multiplies
them, and what a unit chooses for itself multiplies its own. Latency: gains of units add up, less what converting
between neighbours of different precision costs (arXiv 2505.13060).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.searching.sampler._additive_process import Design
from autoq.searching.sampler._encoding import Encoding, Points
from autoq.searching.sensitivity import Knowledge

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
    def owners(self) -> NDArray[np.intp]:
        """Number of the unit that makes the choice of each field for itself, -1 where the model does, [fields]."""
        return np.array([owner for _, owner in self.encoding.owned], np.intp)

    @cached_property
    def favourites(self) -> NDArray[np.intp]:
        """The choice of each field that is known to distort least, the first of several, [fields]."""
        return np.array([int(np.argmin(logs)) for logs in self.log_factors], np.intp)

    def encode(self, parameters: Sequence[Mapping[str, Any]]) -> Points:
        """Parameters as arrays, equal for those that say the same; each must name every unit and field."""
        return self.settled(self.encoding.encode(parameters))

    def settled(self, points: Points) -> Points:
        """The points with what units in float would choose for themselves replaced by what is known to be best."""
        owned = self.owners >= 0
        idle = np.zeros(points.choices.shape, np.bool_)
        idle[:, owned] = ~points.int8[:, self.owners[owned]]
        return Points(points.int8, np.where(idle, self.favourites, points.choices))

    @cached_property
    def log_factors(self) -> tuple[Floats, ...]:
        """By field and choice, logarithm of the factor on the distortion, of the model or of the unit that chooses."""
        fields = zip(self.encoding.owned, self.encoding.fields.values(), strict=True)
        return tuple(
            _believed(self._of_unit(name, choices, owner) if owner >= 0 else self._of_model(name, choices))
            for (name, owner), choices in fields
        )

    def _of_unit(self, name: str, choices: Sequence[Any], owner: int) -> Floats:
        """Factors on the distortion of a unit."""
        if self.knowledge is None:
            return np.ones(len(choices))
        return np.array([self.knowledge.factor(name, choice, self.encoding.units[owner]) for choice in choices])

    def _of_model(self, name: str, choices: Sequence[Any]) -> Floats:
        """Factors on the distortion of the whole model."""
        known = {} if self.knowledge is None else self.knowledge.recipes.get(name, {})
        whole = 1.0 if self.knowledge is None else self.knowledge.whole
        values = np.array([known.get(choice, whole) for choice in choices], np.float64)
        if not 0 < whole < np.inf:
            # The device fails to run it, or nothing distorts: the least of the others is what to compare with.
            whole = np.min(values, where=np.isfinite(values) & (values > 0), initial=np.inf)
            whole = whole if np.isfinite(whole) else 1.0
        return np.asarray(np.where(np.isfinite(values), values, np.inf) / whole, np.float64)

    def predicted_distortion(self, points: Points) -> Floats:
        """Of each point, as a share of that of the whole model in int8 with the default recipe, [n]."""
        logs = np.column_stack(
            [
                np.zeros((len(points), 0)),
                *(factors[points.choices[:, field]] for field, factors in enumerate(self.log_factors)),
            ]
        )
        owned = self.owners >= 0
        by_unit = np.exp(logs[:, owned] @ (self.owners[owned, None] == np.arange(len(self.encoding.units))))
        added = self._additive(points.int8, by_unit) / self._total
        return np.asarray(added * np.exp(logs[:, ~owned].sum(axis=1)), np.float64)

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
                self._chosen(points, root, shares),
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
                        self._chosen(points, part, shares),
                        self._chosen(points, (1 - part) / LATENCY_PRIOR[3], shares, only=_RUNTIME),
                    ]
                ),
            ),
            amount=np.sqrt(part),
            coordinates=self._coordinates(points, shares),
        )

    @property
    def shares(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """How the weights of trend and units act by unit: on the drop, and on the latency ratio, [units] each.

        Units in int8 choose what is known to be best for them.
        """
        gained = _shares(np.maximum(self.gain, 0.0))
        least = self.distortion.copy()
        for owner, factors, favourite in zip(self.owners, self.log_factors, self.favourites, strict=True):
            if owner >= 0:
                least[owner] *= np.exp(factors[favourite])
        return (least / self._total, np.sqrt(_shares(self.distortion))), (gained, np.sqrt(gained))

    @cached_property
    def border_cost(self) -> float:
        """Expected cost of one border between precisions, in latency ratio."""
        return BORDER_SHARE * float(np.maximum(self.gain, 0.0).mean()) if self.gain.size else 0.0

    @cached_property
    def _total(self) -> float:
        """Distortion of all units together, as it adds up."""
        return max(float(self._additive(np.ones((1, len(self.distortion)), np.bool_))[0]), _TINY)

    def _additive(self, int8: NDArray[np.bool_], factors: Floats | float = 1.0) -> Floats:
        both = int8[:, self.pairs[:, 0]] & int8[:, self.pairs[:, 1]]
        return np.maximum((int8 * factors) @ self.distortion + both @ self.interaction, 0.0)

    def _spread(self, pairs: NDArray[np.bool_]) -> Floats:
        """Columns by pair, scaled so that all together count as one, [n, pairs]."""
        return np.asarray(pairs / np.sqrt(max(len(self.pairs), 1)), np.float64)

    def _chosen(self, points: Points, weight: Floats, shares: Floats, *, only: str | None = None) -> Floats:
        """Columns that say which choices other than the first were made, [n, choices].

        Args:
            points: The points.
            weight: Of the choices of the model as a whole, [n].
            shares: Of the units, whose choices weigh as much as they do while they are int8, [units].
            only: The only field that is looked at.
        """
        fields = [place for place, (name, _) in enumerate(self.encoding.owned) if only in {None, name}]
        return self._columns(points, fields, 1, weight, shares)

    def _coordinates(self, points: Points, shares: Floats) -> Floats:
        every = self._columns(points, range(len(self.encoding.fields)), 0, np.ones(len(points)), shares)
        return np.hstack([points.int8 * np.sqrt(shares), every * np.sqrt(_FIELD_SHARE / 2)])

    def _columns(
        self, points: Points, fields: Sequence[int], first: int, weight: Floats, shares: Floats
    ) -> NDArray[np.float64]:
        """One column for each choice of some fields from the first one on, [n, choices]."""
        counts = [max(len(factors) - first, 0) for factors in map(self.log_factors.__getitem__, fields)]
        field = np.repeat(np.array(fields, np.intp), counts)
        choice = np.concatenate([np.zeros(0, np.intp), *(first + np.arange(count) for count in counts)])
        owner = self.owners[field]
        of_unit = points.int8[:, owner] * np.sqrt(shares[owner]) if len(shares) else np.zeros((len(points), len(field)))
        weights = np.where(owner < 0, weight[:, None], of_unit)
        return np.asarray((points.choices[:, field] == choice) * weights, np.float64)

    def _generic(self, points: Points) -> Design:
        """For parameters of which nothing is known."""
        n = len(points)
        nothing, ones = np.zeros((n, 0)), np.ones(n)
        return Design(
            mean=np.zeros(n),
            blocks=(ones[:, None], nothing, nothing, self._chosen(points, ones, np.zeros(0))),
            amount=ones,
            coordinates=self._coordinates(points, np.zeros(0)),
        )


def _believed(ratios: Floats) -> Floats:
    """Logarithms of factors, as far as these are believed."""
    return np.asarray(np.log(np.clip(ratios, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)), np.float64)


def _shares(sizes: Sequence[float] | Floats) -> Floats:
    """Half by size, half alike, [units]; sums to 1."""
    values = np.asarray(sizes, np.float64)
    alike = np.full(len(values), 1 / max(len(values), 1))
    total = values.sum()
    return np.asarray((values / total + alike) / 2 if total > 0 else alike, np.float64)
