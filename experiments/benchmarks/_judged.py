"""What the plans of a recorded table are worth, and what share of it a search has found.

A table times each plan in one compilation, and scores it on a few hundred samples. So its very best plans are its
luckiest, which nobody can find but by trying all, and nobody should want. But there are hundreds of plans, and what
units do together hardly goes beyond pairs: a polynomial of the second order in the units, fitted to all plans of a
recipe (Box and Wilson, "On the experimental attainment of optimum conditions", 1951), leaves most of the luck out. Its
values are what a plan is judged by; searches see the recorded ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray

from autoq.search import RecordedTable, area

Floats = NDArray[np.float64]

# The largest drop that anybody here accepts.
MAX_DROP = 0.02
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
    """Values of the polynomials, one for each recipe; the float model keeps its own."""
    plans = (len(table.space) - 1) // len(table.space.recipes)
    units = len(table.space.units)
    x = (np.arange(plans + 1)[:, None] >> np.arange(units) & 1).astype(np.float64)
    pairs = [x[:, u] * x[:, v] for u, v in combinations(range(units), 2)]
    design = np.column_stack([np.ones(plans + 1), x, *pairs])
    smooth = values.copy()
    for first in range(1, len(values), plans):
        rows = np.r_[0, first : first + plans]
        smooth[rows[1:]] = _robust_fit(design, values[rows])[1:]
    return smooth


def _robust_fit(design: Floats, values: Floats) -> Floats:
    """Least squares, in which plans that are far off weigh less (Huber, "Robust estimation", 1964)."""
    weights = np.ones(len(values))
    for _ in range(_REWEIGHTED):
        root = np.sqrt(weights)
        fitted = design @ np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
        off = np.abs(values - fitted)
        scale = 1.4826 * np.median(off)
        weights = np.minimum(1.0, _HUBER * scale / np.maximum(off, 1e-12))
    return np.asarray(fitted)
