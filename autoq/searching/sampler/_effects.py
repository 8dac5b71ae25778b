"""The prior of the surrogate models: how parameters act on the two objectives.

Accuracy: distortions of units nearly add up (HAWQ-V2, arXiv 1911.03852; AIMET's mixed precision), a recipe multiplies
them, and a recipe field that a unit has for itself multiplies the distortion of this unit. Latency: gains of units add
up. Kinds that act on the same layers as others multiply: half of the channels in 8 bits take half of what all take. A
conversion between neighbours with different choices costs something (arXiv 2505.13060).

An option is a unit and one of its choices other than the reference. A unit of two choices has one option.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.searching.sampler._additive_process import Design
from autoq.searching.sampler._encoding import Encoding, Points
from autoq.searching.sensitivity import ByChoice, Knowledge

Floats = NDArray[np.float64]

# Prior means of the scales: of trend, options, neighbours, recipes, the Gaussian process, and each plan by itself. For
# the latency they are ratios, for the drop multiples of a typical drop.
DROP_PRIOR = (1.0, 0.4, 0.15, 0.3, 0.15, 0.05)
LATENCY_PRIOR = (0.3, 0.2, 0.1, 0.1, 0.05, 0.005)
# A recipe is believed to make the distortion at most so many times smaller or larger.
_LARGEST_FACTOR = 10.0
# Weight of a different recipe in the distance between two points; all units together weigh 1.
_FIELD_SHARE = 0.25
# Expected cost of a border between different choices, as a share of the mean gain of a unit.
BORDER_SHARE = 0.2
# Gains of one kind are believed to leave at least this share of the cost, where several kinds multiply.
_LEAST_LEFT = 0.05
_RUNTIME = "runtime_precision"
_TINY = 1e-30


@dataclass(frozen=True)
class Effects:
    """Makes the designs of points for the surrogate models of accuracy drop and cost.

    Attributes:
        encoding: Encoding of the points.
        knowledge: Prior knowledge of the units; None in studies of other parameters.
    """

    encoding: Encoding
    knowledge: Knowledge | None = None

    @cached_property
    def distortion(self) -> Floats:
        """Distortion of each option alone, [options]; an option that could not be measured counts as the worst."""
        found = self._known(lambda knowledge: knowledge.distortion, np.inf)
        finite = found[np.isfinite(found)]
        return np.where(np.isfinite(found), found, finite.max() if finite.size else 1.0)

    @cached_property
    def forbidden(self) -> NDArray[np.bool_]:
        """Options that the device fails to run, [options]."""
        return np.isinf(self._known(lambda knowledge: knowledge.distortion, 0.0))

    @property
    def knows_cost(self) -> bool:
        """Whether gains are those of the size, and add up exactly."""
        return self.knowledge is not None and self.knowledge.of_size

    @cached_property
    def gain(self) -> Floats:
        """Expected fall of the cost by option, [options]."""
        return self._known(lambda knowledge: knowledge.gains, 0.0)

    def _known(self, what: Callable[[Knowledge], ByChoice], unknown: float) -> Floats:
        known = {} if self.knowledge is None else what(self.knowledge)
        values = [known.get(unit, {}).get(choice, unknown) for unit, choice in self.encoding.options]
        return np.array(values, np.float64)

    @cached_property
    def pairs(self) -> NDArray[np.intp]:
        """Neighbouring units, [pairs, 2]."""
        index = {unit: number for number, unit in enumerate(self.encoding.units)}
        known = () if self.knowledge is None else self.knowledge.neighbours
        found = [(index[a], index[b]) for a, b in known if a in index and b in index]
        return np.array(found, np.intp).reshape(-1, 2)

    @cached_property
    def _interactions(self) -> tuple[NDArray[np.intp], Floats]:
        """Pairs of options with a known interaction [interactions, 2], and its size [interactions]."""
        index = {option: number for number, option in enumerate(self.encoding.options)}
        known = {} if self.knowledge is None else self.knowledge.interactions
        found = [(index[a], index[b], value) for (a, b), value in known.items() if a in index and b in index]
        both = np.array([(a, b) for a, b, _ in found], np.intp).reshape(-1, 2)
        return both, np.array([value for *_, value in found], np.float64)

    @property
    def coupled(self) -> NDArray[np.intp]:
        """Pairs of options whose interaction is known, [interactions, 2]."""
        return self._interactions[0]

    @property
    def interaction(self) -> Floats:
        """Distortion of each of these pairs, less the sum of both options alone, [interactions]."""
        return self._interactions[1]

    @cached_property
    def owners(self) -> NDArray[np.intp]:
        """Number of the unit that has each field for itself, -1 where the model has it, [fields]."""
        return np.array([owner for _, owner in self.encoding.owned], np.intp)

    @cached_property
    def favourites(self) -> NDArray[np.intp]:
        """The choice of each field that is known to distort least, the first of several, [fields]."""
        return np.array([int(np.argmin(logs)) for logs in self.log_factors], np.intp)

    def encode(self, parameters: Sequence[Mapping[str, Any]]) -> Points:
        """Parameters as arrays; sets that mean the same plan are equal. Each set must name every unit and field."""
        return self.settled(self.encoding.encode(parameters))

    def settled(self, points: Points) -> Points:
        """The points in one spelling: a field of a unit at its reference has its favourite choice."""
        owned = self.owners >= 0
        idle = np.zeros(points.fields.shape, np.bool_)
        idle[:, owned] = points.taken[:, self.owners[owned]] == 0
        return Points(points.taken, np.where(idle, self.favourites, points.fields))

    def runnable(self, points: Points) -> Points:
        """The points without options that the device fails to run: their units are at the reference."""
        refused = self.encoding.taken_options(points) & self.forbidden
        units = np.zeros(points.taken.shape, np.bool_)
        rows, options = np.nonzero(refused)
        units[rows, self.encoding.unit_of[options]] = True
        return Points(np.where(units, 0, points.taken), points.fields)

    @cached_property
    def log_factors(self) -> tuple[Floats, ...]:
        """By field and choice, logarithm of the factor on the distortion, of the model or of the unit that owns it."""
        fields = zip(self.encoding.owned, self.encoding.fields.values(), strict=True)
        return tuple(
            _believed(self._of_unit(name, choices, owner) if owner >= 0 else self._of_model(name, choices))
            for (name, owner), choices in fields
        )

    def _of_unit(self, name: str, choices: Sequence[Any], owner: int) -> Floats:
        """Factors on the distortion of a unit."""
        if self.knowledge is None:
            return np.ones(len(choices))
        unit = tuple(self.encoding.units)[owner]
        return np.array([self.knowledge.factor(name, choice, unit) for choice in choices])

    def _of_model(self, name: str, choices: Sequence[Any]) -> Floats:
        """Factors on the distortion of the whole model."""
        known = {} if self.knowledge is None else self.knowledge.recipes.get(name, {})
        whole = 1.0 if self.knowledge is None else self.knowledge.whole
        values = np.array([known.get(choice, whole) for choice in choices], np.float64)
        if not 0 < whole < np.inf:
            # The device fails to run it, or nothing distorts: the others are compared with the least of them.
            whole = np.min(values, where=np.isfinite(values) & (values > 0), initial=np.inf)
            whole = whole if np.isfinite(whole) else 1.0
        return np.asarray(np.where(np.isfinite(values), values, np.inf) / whole, np.float64)

    def predicted_distortion(self, points: Points) -> Floats:
        """Predicted distortion of each point, as a share of that of the usual choices with the default recipe, [n]."""
        logs = np.column_stack(
            [
                np.zeros((len(points), 0)),
                *(factors[points.fields[:, field]] for field, factors in enumerate(self.log_factors)),
            ]
        )
        owned = self.owners >= 0
        by_unit = np.exp(logs[:, owned] @ (self.owners[owned, None] == np.arange(len(self.encoding.units))))
        added = self._additive(self.encoding.taken_options(points), by_unit[:, self.encoding.unit_of]) / self._total
        return np.asarray(added * np.exp(logs[:, ~owned].sum(axis=1)), np.float64)

    def drop(self, points: Points) -> Design:
        """The design for the accuracy drop."""
        if not self.encoding.units:
            return self._generic(points)
        distortion = self.predicted_distortion(points)
        root = np.sqrt(distortion)
        shares = self._shares(self.distortion)
        changed = points.taken > 0
        both = changed[:, self.pairs[:, 0]] & changed[:, self.pairs[:, 1]]
        return Design(
            mean=np.zeros(len(points)),
            blocks=(
                np.column_stack([distortion, root / 2]),
                np.asarray(self.encoding.taken_options(points) * np.sqrt(shares), np.float64),
                self._spread(both),
                self._chosen(points, root, shares),
            ),
            amplitude=np.minimum(root, 1.0),
            coordinates=self._coordinates(points, shares),
        )

    def latency(self, points: Points) -> Design:
        """The design for the cost."""
        if not self.encoding.units:
            return self._generic(points)
        left, weight = self._left_by_kinds(points)
        options = self.encoding.taken_options(points) * weight
        shares = self._shares(np.maximum(self.gain, 0.0))
        part = options @ shares
        words = self.encoding.taken_words(points)
        differ = words[:, self.pairs[:, 0]] != words[:, self.pairs[:, 1]]
        borders = differ.sum(axis=1) * self.border_cost
        return Design(
            mean=left + borders,
            blocks=(
                np.column_stack([part, differ.sum(axis=1) / max(len(self.pairs), 1)]),
                np.asarray(options * np.sqrt(shares), np.float64),
                self._spread(differ),
                # Layers left in float are as fast as the runtime precision makes them, which can be several times.
                np.hstack(
                    [
                        self._chosen(points, part, shares),
                        self._chosen(points, (1 - part) / LATENCY_PRIOR[3], shares, only=_RUNTIME),
                    ]
                ),
            ),
            amplitude=np.sqrt(part),
            coordinates=self._coordinates(points, shares),
        )

    @cached_property
    def _kinds(self) -> NDArray[np.intp]:
        """Number of what an option adds up with, [options]: 0, or one for each kind that multiplies."""
        kinds = () if self.knowledge is None else self.knowledge.multiplied
        numbers = {kind: number for number, kind in enumerate(kinds, 1)}
        return np.array([numbers.get(unit.partition("/")[0], 0) for unit, _ in self.encoding.options], np.intp)

    def _left_by_kinds(self, points: Points) -> tuple[Floats, Floats]:
        """The cost that is left, and how much of what it gains each option still gains beside the other kinds.

        Returns:
            [n] and [n, options].
        """
        gained, kinds = self.encoding.taken_options(points) * self.gain, self._kinds
        if self.knows_cost or not kinds.any():
            return 1.0 - gained.sum(axis=1), np.ones(gained.shape)
        left = 1.0 - gained @ (kinds[:, None] == np.arange(kinds.max() + 1))
        left = np.maximum(left, _LEAST_LEFT)
        return left.prod(axis=1), (left.prod(axis=1)[:, None] / left)[:, kinds]

    @property
    def shares(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """How the weights of trend and options act: on the drop, and on the cost, [options] each.

        A unit has its favourite choice in the fields that it has for itself.
        """
        gained = self._shares(np.maximum(self.gain, 0.0))
        least = self.distortion.copy()
        for owner, factors, favourite in zip(self.owners, self.log_factors, self.favourites, strict=True):
            if owner >= 0:
                least[self.encoding.unit_of == owner] *= np.exp(factors[favourite])
        return (least / self._total, np.sqrt(self._shares(self.distortion))), (gained, np.sqrt(gained))

    @cached_property
    def border_cost(self) -> float:
        """Expected cost of one border between different choices."""
        if self.knows_cost:
            return 0.0
        return BORDER_SHARE * float(self._largest(np.maximum(self.gain, 0.0)).mean()) if self.gain.size else 0.0

    @cached_property
    def _total(self) -> float:
        """Distortion of the usual choices of all units together, as it adds up."""
        usual = (self.encoding.choice_of == 1)[None]
        return max(float(self._additive(usual)[0]), _TINY)

    def _additive(self, options: NDArray[np.bool_], factors: Floats | float = 1.0) -> Floats:
        both = options[:, self.coupled[:, 0]] & options[:, self.coupled[:, 1]]
        return np.maximum((options * factors) @ self.distortion + both @ self.interaction, 0.0)

    def _largest(self, sizes: Floats) -> Floats:
        """The largest of the options of each unit, [units]."""
        first = np.flatnonzero(self.encoding.choice_of == 1)
        return np.asarray(np.maximum.reduceat(sizes, first) if len(first) else sizes, np.float64)

    def _shares(self, sizes: Floats) -> Floats:
        """A weight for each option: half of it by size, half of it equal, [options].

        The largest weights of all units sum to 1.
        """
        total = self._largest(sizes).sum()
        alike = np.full(len(sizes), 1 / max(len(self.encoding.units), 1))
        return np.asarray((sizes / total + alike) / 2 if total > 0 else alike, np.float64)

    def _spread(self, pairs: NDArray[np.bool_]) -> Floats:
        """One column for each pair, scaled so that all together weigh 1, [n, pairs]."""
        return np.asarray(pairs / np.sqrt(max(len(self.pairs), 1)), np.float64)

    def _chosen(self, points: Points, weight: Floats, shares: Floats, *, only: str | None = None) -> Floats:
        """One column for each choice of the fields but the first, [n, choices].

        Args:
            points: The points.
            weight: Weight of the choices of the whole model, [n].
            shares: Weights of the options, [options]. A field of a unit weighs as much as the option of the unit.
            only: Take this field alone.
        """
        fields = [place for place, (name, _) in enumerate(self.encoding.owned) if only in {None, name}]
        return self._columns(points, fields, 1, weight, shares)

    def _coordinates(self, points: Points, shares: Floats) -> Floats:
        every = self._columns(points, range(len(self.encoding.fields)), 0, np.ones(len(points)), shares)
        options = self.encoding.taken_options(points) * np.sqrt(shares)
        return np.hstack([options, every * np.sqrt(_FIELD_SHARE / 2)])

    def _columns(
        self, points: Points, fields: Sequence[int], first: int, weight: Floats, shares: Floats
    ) -> NDArray[np.float64]:
        """One column for each choice of some fields from the first one on, [n, choices]."""
        counts = [max(len(factors) - first, 0) for factors in map(self.log_factors.__getitem__, fields)]
        field = np.repeat(np.array(fields, np.intp), counts)
        choice = np.concatenate([np.zeros(0, np.intp), *(first + np.arange(count) for count in counts)])
        owner = self.owners[field]
        weights = np.where(owner < 0, weight[:, None], self._weight_of_units(points, shares)[:, owner])
        return np.asarray((points.fields[:, field] == choice) * weights, np.float64)

    def _weight_of_units(self, points: Points, shares: Floats) -> Floats:
        """Root of the weight of the option that each unit takes, [n, units or 1]; 0 at the reference."""
        units = np.zeros((len(points), max(len(self.encoding.units), 1)))
        rows, options = np.nonzero(self.encoding.taken_options(points))
        units[rows, self.encoding.unit_of[options]] = np.sqrt(shares[options])
        return units

    def _generic(self, points: Points) -> Design:
        """The design for parameters without prior knowledge."""
        n = len(points)
        nothing, ones = np.zeros((n, 0)), np.ones(n)
        return Design(
            mean=np.zeros(n),
            blocks=(ones[:, None], nothing, nothing, self._chosen(points, ones, np.zeros(0))),
            amplitude=ones,
            coordinates=self._coordinates(points, np.zeros(0)),
        )


def _believed(ratios: Floats) -> Floats:
    """Logarithms of factors, clipped to the range that is believed."""
    return np.asarray(np.log(np.clip(ratios, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)), np.float64)
