"""What the plans of a recorded table are worth, and what share of it a search has found.

A table times each plan in one compilation, and scores it on some hundred samples. So its very best plans are its
luckiest, which nobody can find but by trying all, and nobody should want. But there are hundreds of plans: what units
do alone, in pairs and by three is known much better than what one plan did (Box and Wilson, "On the experimental
attainment of optimum conditions", 1951). So plans are judged by the sum of these effects, each kind of which is shrunk
by what noise alone would have made of it (James and Stein, "Estimation with quadratic loss", 1961). Searches see the
recorded values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autoq.searching.front import area
from autoq.searching.recorded import RecordedTable

Floats = NDArray[np.float64]

# The largest drop that anybody here accepts.
MAX_DROP = 0.02
# Units whose common effect is looked for.
_MOST_TOGETHER = 3
_REWEIGHTED = 10
# Of Huber's weights: beyond so many standard deviations, a plan was disturbed.
_HUBER = 2.0


@dataclass(frozen=True)
class Judged:
    """The true front of a table, as far as it can be known.

    Attributes:
        drops: Of each plan, below zero where int8 happens to score better, [rows].
        ratios: Latency ratio of each plan, [rows].
        drop_noise: Standard deviation of the recorded drops around these.
        ratio_noise: Of the recorded ratios.
        reference: Point up to which area counts: the float model's latency, and the drop that is accepted at most, or
            that of int8 by the default recipe, where that is less.
    """

    drops: Floats
    ratios: Floats
    drop_noise: float
    ratio_noise: float
    reference: Floats

    @classmethod
    def of(cls, table: RecordedTable, *, exact: bool) -> Self:
        """Judges a table.

        Args:
            table: The table.
            exact: Its means are free of noise.
        """
        drops, ratios = table.drops, table.ratios
        if not exact:
            drops, ratios = _smooth(table, drops), _smooth(table, ratios)
        whole = len(table.space) // len(table.space.recipes)  # all units in int8, by the first recipe
        reference = np.array([min(MAX_DROP, drops[whole]), 1.0])
        noise = (float(np.std(found - true)) for found, true in ((table.drops, drops), (table.ratios, ratios)))
        return cls(drops, ratios, *noise, reference)

    @cached_property
    def points(self) -> Floats:
        """Drop and latency ratio of each plan, [rows, 2]."""
        return np.column_stack([self.drops, self.ratios])

    @cached_property
    def volume(self) -> float:
        """Area under the front of all plans."""
        return area(self.points, self.reference)

    def shares(self, rows: Sequence[int]) -> Floats:
        """Of that area, the share under the front of the first, the first two, ... of some plans, [len(rows)]."""
        points = self.points[list(rows)]
        found = [area(points[: count + 1], self.reference) for count in range(len(rows))]
        return np.array(found) / self.volume

    def regret(self, rows: Sequence[int], max_drop: float) -> float:
        """How much slower than the fastest plan within a drop the fastest of some plans is, in latency ratio."""
        own = np.asarray(rows, np.intp)
        fastest = np.min(self.ratios[own][self.drops[own] <= max_drop], initial=1.0)
        return float(fastest - self.ratios[self.drops <= max_drop].min())


def _smooth(table: RecordedTable, values: Floats) -> Floats:
    """Values of the plans by the effects of units; the float model keeps its own."""
    recipes, units = len(table.space.recipes), len(table.space.units)
    plans = (len(values) - 1) // recipes
    signs = 2.0 * (np.arange(1, plans + 1)[:, None] >> np.arange(units) & 1) - 1
    terms = _terms(units, most=0.75 * plans)
    order = np.array([len(term) for term in terms])
    design = np.column_stack([signs[:, list(term)].prod(axis=1) for term in terms])
    fits = [_robust_fit(design, own) for own in values[1:].reshape(recipes, plans)]
    effects = np.array([fit[0] for fit in fits])
    # Of all signs together the columns are orthogonal, so that each effect is as noisy as any other.
    noise = float(np.mean([fit[1] for fit in fits])) / plans
    common = effects.mean(axis=0)
    own = effects - common
    for kind in range(1, order.max() + 1):
        common[order == kind] *= _kept(common[order == kind], noise / recipes)
        own[:, order == kind] *= _kept(own[:, order == kind], noise * (1 - 1 / recipes))
    return np.concatenate([values[:1], ((common + own) @ design.T).ravel()])


def _terms(units: int, most: float) -> list[tuple[int, ...]]:
    """None of the units, each, pairs, and triples, as far as they are not too many for the plans there are."""
    terms: list[tuple[int, ...]] = []
    for size in range(_MOST_TOGETHER + 1):
        more = list(combinations(range(units), size))
        if len(terms) + len(more) > most:
            break
        terms += more
    return terms


def _kept(effects: Floats, noise: float) -> float:
    """The share of some effects that is not noise."""
    square = float(np.mean(effects**2))
    return max(1 - noise / square, 0.0) if square > 0 else 0.0


def _robust_fit(design: Floats, values: Floats) -> tuple[Floats, float]:
    """Least squares, in which plans that are far off weigh less (Huber, "Robust estimation", 1964).

    Returns:
        The effects, and the variance of what they leave.
    """
    weights = np.ones(len(values))
    for _ in range(_REWEIGHTED):
        root = np.sqrt(weights)
        effects = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
        off = np.abs(values - design @ effects)
        scale = 1.4826 * np.median(off)
        weights = np.minimum(1.0, _HUBER * scale / np.maximum(off, 1e-12))
    return effects, float(np.sum(weights * off**2)) / (len(values) - design.shape[1])
