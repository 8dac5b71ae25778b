"""The predicted front, before any measurement: an exact walk by integer programs.

Each plan has the lowest predicted cost of all plans whose predicted distortion is within a bound. The bound falls
from one plan to the next. This is the program of HAWQ-V3 (arXiv 2011.10680). Further variables are for interactions and
for borders between different choices, as in the partition into sub-graphs of arXiv 2505.13060.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from autoq.searching.sampler._effects import Effects
from autoq.searching.sampler._encoding import Encoding
from autoq.searching.sampler._native_output import native_output_among_errors
from autoq.searching.sampler._size_limit import SizeLimit
from autoq.searching.sensitivity import Knowledge

Floats = NDArray[np.float64]

# Time limit of one program, whose best plan by then is used.
_MOST_SECONDS = 2.0
_GAP = 1e-3
# The bound on the distortion of a plan beside that of the plan before. Where the cost is known, all plans are worth it.
_FALLS, _FALLS_OF_SIZE = 0.5, 0.7
# Where some units are usually left alone, bounds fall from the first of these to the second, in usual distortions.
_BEYOND, _BELOW = 8.0, 0.5
_TINY = 1e-30


def predicted_front(
    knowledge: Knowledge, count: int, size: SizeLimit | None = None, left_alone: Collection[str] = ()
) -> Iterator[dict[str, str]]:
    """Predicts at most `count` plans between the usual choices and the references, the fastest first.

    Where units are usually left alone, plans go beyond the usual ones, to eight times their distortion.

    A plan is the choice by unit; units at their reference are not named.

    Args:
        knowledge: Prior knowledge of the units.
        count: Largest number of plans.
        size: Bytes that each plan has to save; None without a limit.
        left_alone: Units that are at their reference in the usual plan.
    """
    encoding = Encoding.of_units({unit: tuple(choices) for unit, choices in knowledge.distortion.items()})
    effects = Effects(encoding, knowledge)
    options = np.array(encoding.options, np.object_).reshape(-1, 2)
    alone = np.array([unit in left_alone for unit in encoding.units], np.bool_)[encoding.unit_of]
    usual = (encoding.choice_of == 1) & ~effects.forbidden & ~(alone & ~alone.all())
    found = {_key(usual), _key(np.zeros(len(usual), np.bool_))}
    program = _Program.of(effects, size, usual)
    falls = (_FALLS_OF_SIZE if effects.knows_cost else _FALLS) ** np.arange(1, count + 1)
    if alone.any():
        falls = np.geomspace(_BEYOND, _BELOW, count)
    for share in falls.tolist():
        taken = program.solve(share)
        if (key := _key(taken)) not in found:
            found.add(key)
            yield {str(unit): str(choice) for unit, choice in options[taken]}


def _key(taken: NDArray[np.bool_]) -> bytes:
    return taken.tobytes()


@dataclass(frozen=True, slots=True)
class _Program:
    """A multiple-choice knapsack with borders: minimize cost @ v within a bound on the distortion.

    Variables: whether each option is taken [O], whether the two units of each pair differ [P], whether both options
    of each known interaction are taken [I]. All but the options follow from these.

    1. A unit takes one option at most.
    2. The units of a pair differ if one takes a choice that the other does not take; the reference is a choice too.
    3. An interaction counts if both of its options are taken.

    Attributes:
        cost: Cost of each variable, in the ratio of latencies or sizes.
        distortion: Distortion of each variable.
        whole: Distortion of the usual choices of all units.
        allowed: 1, or 0 for an option that the device fails to run.
        options: Number of options.
        constraints: The three constraints above, and the size limit.
    """

    cost: Floats
    distortion: Floats
    whole: float
    allowed: Floats
    options: int
    constraints: Sequence[LinearConstraint]

    @classmethod
    def of(cls, effects: Effects, size: SizeLimit | None, usual: NDArray[np.bool_]) -> _Program:
        encoding = effects.encoding
        options, pairs, coupled = len(encoding.options), len(effects.pairs), len(effects.coupled)
        rows = _Rows(options + pairs + coupled)
        for pair, (one, other) in enumerate(effects.pairs.tolist()):
            for terms, constant in _one_sided(encoding, one, other):
                rows.add([*terms, (options + pair, -1.0)], -constant)
        for place, (one, other) in enumerate(effects.coupled.tolist()):
            both = options + pairs + place
            rows.add([(one, 1.0), (other, 1.0), (both, -1.0)], 1.0)
            rows.add([(both, 1.0), (one, -1.0)], 0.0)
            rows.add([(both, 1.0), (other, -1.0)], 0.0)
        for unit in np.flatnonzero(encoding.counts > 2).tolist():
            rows.add([(option, 1.0) for option in np.flatnonzero(encoding.unit_of == unit).tolist()], 1.0)
        constraints = [rows.constraint()]
        if size is not None:
            saved = np.concatenate([size.of(encoding.options), np.zeros(pairs + coupled)])
            scale = max(saved.sum(), _TINY)
            constraints.append(LinearConstraint(saved[None, :] / scale, size.needed / scale, np.inf))
        distortion = np.concatenate([effects.distortion, np.zeros(pairs), effects.interaction])
        counted = np.concatenate([usual, np.zeros(pairs, np.bool_), usual[effects.coupled].all(axis=1)])
        return cls(
            np.concatenate([-effects.gain, np.full(pairs, effects.border_cost), np.zeros(coupled)]),
            distortion,
            max(float(distortion[counted].sum()), _TINY),
            np.concatenate([~effects.forbidden, np.ones(pairs + coupled)]).astype(np.float64),
            options,
            constraints,
        )

    def solve(self, share: float) -> NDArray[np.bool_]:
        """The options of the best plan with at most this share of the whole distortion; none if there is no plan."""
        options = self.options
        # Values near 1: the tolerances of the solver are absolute.
        limit = LinearConstraint(self.distortion[None, :] / self.whole, -np.inf, share)
        with native_output_among_errors():
            found = milp(
                self.cost / max(np.abs(self.cost).max(), _TINY),
                integrality=np.r_[np.ones(options), np.zeros(len(self.cost) - options)],
                bounds=Bounds(0, self.allowed),
                constraints=[limit, *self.constraints],
                options={"time_limit": _MOST_SECONDS, "mip_rel_gap": _GAP},
            )
        return np.zeros(options, np.bool_) if found.x is None else np.asarray(found.x[:options] > 0.5)


class _Rows:
    """Linear inequalities, row by row: terms @ v <= bound."""

    def __init__(self, variables: int) -> None:
        self._variables = variables
        self._terms: list[tuple[int, int, float]] = []
        self._bounds: list[float] = []

    def add(self, terms: Sequence[tuple[int, float]], bound: float) -> None:
        """Adds a row of variables and their coefficients."""
        self._terms += [(len(self._bounds), variable, coefficient) for variable, coefficient in terms]
        self._bounds.append(bound)

    def constraint(self) -> LinearConstraint:
        """All rows as one constraint."""
        rows, variables, coefficients = zip(*self._terms, strict=True) if self._terms else ((), (), ())
        shape = (len(self._bounds), self._variables)
        matrix = sparse.csr_array((np.array(coefficients, np.float64), (rows, variables)), shape=shape)
        return LinearConstraint(matrix, -np.inf, np.array(self._bounds))


def _one_sided(encoding: Encoding, one: int, other: int) -> Iterator[tuple[list[tuple[int, float]], float]]:
    """For each choice of unit `one`: x_one - x_other of this choice, as linear terms and a constant."""
    first = np.searchsorted(encoding.unit_of, (one, other)).tolist()
    counts = encoding.counts[[one, other]].tolist()

    def taken(unit: int, place: int) -> tuple[list[tuple[int, float]], float]:
        if place:
            return [(first[unit] + place - 1, 1.0)], 0.0
        # A unit without an option is at its reference.
        return [(first[unit] + option, -1.0) for option in range(counts[unit] - 1)], 1.0

    places = {word: place for place, word in enumerate(encoding.words[other, : counts[1]].tolist())}
    for place, word in enumerate(encoding.words[one, : counts[0]].tolist()):
        terms, constant = taken(0, place)
        if word in places:
            more, less = taken(1, places[word])
            terms, constant = [*terms, *((option, -value) for option, value in more)], constant - less
        yield terms, constant
