"""The front as it is expected before anything is measured: an exact walk by integer programs.

Each plan loses the least by what is known of the units' gains and of the borders between precisions, of all whose
predicted distortion stays within a bound: the program of HAWQ-V3 (arXiv 2011.10680), with a variable besides for each
border and each interaction, as in the partition into sub-graphs of arXiv 2505.13060. The bounds halve from one plan to
the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from autoq.searching.sampler._effects import Effects
from autoq.searching.sampler._encoding import Encoding
from autoq.searching.sampler._size_limit import SizeLimit
from autoq.searching.sensitivity import Knowledge

Floats = NDArray[np.float64]

# One program is not given more time than that; what it has found by then is used.
_MOST_SECONDS = 2.0
_GAP = 1e-3
_TINY = 1e-30


def predicted_front(knowledge: Knowledge, count: int, size: SizeLimit | None = None) -> Iterator[frozenset[str]]:
    """Units in int8, of at most `count` plans between all-int8 and all-float, most of them in int8 first.

    Args:
        knowledge: Of the units.
        count: How many plans at most.
        size: What each of them has to save; None is nothing.
    """
    units = tuple(knowledge.distortion)
    effects = Effects(Encoding(units, {}), knowledge)
    found = {frozenset(np.array(units)[~effects.forbidden].tolist()), frozenset[str]()}
    program = _Program.of(effects, size)
    for number in range(1, count + 1):
        chosen = program.solve(0.5**number)
        plan = frozenset(unit for unit, int8 in zip(units, chosen, strict=True) if int8)
        if plan not in found:
            found.add(plan)
            yield plan


class _Program:
    """minimize cost @ v, subject to a bound on the distortion and to what borders and interactions are.

    Variables: units in int8 [U], then whether the units of each pair differ [P], then whether both are int8 [P].
    """

    def __init__(
        self, cost: Floats, distortion: Floats, fixed: Floats, units: int, constraints: Sequence[LinearConstraint]
    ) -> None:
        self._cost, self._distortion, self._bounds = cost, distortion, Bounds(0, fixed)
        self._units, self._constraints = units, constraints

    @classmethod
    def of(cls, effects: Effects, size: SizeLimit | None) -> _Program:
        pairs, units = effects.pairs, len(effects.encoding.units)
        count = len(pairs)
        rows = np.arange(count)
        ones = np.ones(count)

        def block(columns: list[tuple[NDArray[np.intp], float]]) -> sparse.csr_array:
            data = np.concatenate([ones * sign for _, sign in columns])
            index = (np.tile(rows, len(columns)), np.concatenate([column for column, _ in columns]))
            return sparse.csr_array((data, index), shape=(count, units + 2 * count))

        a, b, differ, both = pairs[:, 0], pairs[:, 1], units + rows, units + count + rows
        relations = sparse.vstack(
            [
                block([(a, 1), (b, -1), (differ, -1)]),
                block([(b, 1), (a, -1), (differ, -1)]),
                block([(a, 1), (b, 1), (both, -1)]),
                block([(both, 1), (a, -1)]),
                block([(both, 1), (b, -1)]),
            ]
        )
        constraints = [
            LinearConstraint(sparse.csr_array(relations), -np.inf, np.repeat([0.0, 0.0, 1.0, 0.0, 0.0], count))
        ]
        if size is not None:
            saved = np.concatenate([size.of(effects.encoding.units), np.zeros(2 * count)])
            scale = max(saved.sum(), _TINY)
            constraints.append(LinearConstraint(saved[None, :] / scale, size.needed / scale, np.inf))
        return cls(
            np.concatenate([-effects.gain, np.full(count, effects.border_cost), np.zeros(count)]),
            np.concatenate([effects.distortion, np.zeros(count), effects.interaction]),
            np.concatenate([~effects.forbidden, np.ones(2 * count)]).astype(np.float64),
            units,
            constraints,
        )

    def solve(self, share: float) -> NDArray[np.bool_]:
        """Which units are int8 where the distortion is at most this share of the whole model's; none where none can."""
        units = self._units
        whole = max(self._distortion.sum(), _TINY)
        # Lengths of the scale of 1, or the solver's tolerances would let anything pass.
        limit = LinearConstraint(self._distortion[None, :] / whole, -np.inf, share)
        found = milp(
            self._cost / max(np.abs(self._cost).max(), _TINY),
            integrality=np.r_[np.ones(units), np.zeros(len(self._cost) - units)],
            bounds=self._bounds,
            constraints=[limit, *self._constraints],
            options={"time_limit": _MOST_SECONDS, "mip_rel_gap": _GAP},
        )
        return np.zeros(units, np.bool_) if found.x is None else np.asarray(found.x[:units] > 0.5)
