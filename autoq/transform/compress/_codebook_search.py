"""Finds codebooks with the least error for the numbers of a weight, exactly: no iteration that may end elsewhere.

| name  | meaning                                                                             | shape |
|-------|-------------------------------------------------------------------------------------|-------|
| x     | middles of bins of the numbers, each divided by the largest that shares its scale   | [B]   |
| count | what the squared errors of the numbers of a bin count together                      | [B]   |
| v     | values that an entry may have, over the largest of them, ascending from -1 to 1     | [M]   |

1. The numbers between two neighbouring entries go to the nearer one. So the error of a codebook is a sum over pairs of
   neighbours, of c[i, j], the error of the numbers between v[i] and v[j]. Sums of count, count x and count x^2 up to
   each bin give all c[i, j] at once.
2. The least error of k + 1 entries, the last of which is v[j], is the least over i of that of k entries up to v[i],
   plus c[i, j].
3. The scale of a number follows from the largest magnitude among the entries. So the first entry is -1 or the last one
   is 1, whichever gives the lesser error.
4. The values of f8e4m3 below a largest one are another set, over that one, for each of its eight fractions. Each gives
   a codebook.
5. Types with more values than bins get values at even distances. Then each entry but the largest moves to the mean of
   its numbers, as long as the error falls.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from autoq.core import CodebookType, WeightFormat
from autoq.transform.compress._codebooks import rounded_entries
from autoq.transform.compress._floats import e4m3_values

# Odd, so that zeros are the middle of a bin.
BINS = 4095
# Float64 of an entry of a type that has more than bins.
_EVEN = 1025
_STEPS = 100
_LARGEST_INTEGER = 127
# The largest entry, of a type whose values have no even distances.
_LARGEST = tuple(np.arange(2, 4, 0.25).tolist())

Float64 = NDArray[np.float64]


def learned_codebooks(counts: Float64, form: WeightFormat) -> list[tuple[float, ...]]:
    """The codebooks of a number of entries with the least error, the best one first.

    They have fewer entries than asked for where their type has fewer values.

    Args:
        counts: What the squared errors of the numbers of each bin count, [BINS].
        form: A format whose codebook is learned; the entries that it begins with tell their number.
    """
    bins = _Bins.of(counts)
    found: list[tuple[float, tuple[float, ...]]] = []
    for most, values in _ranges(form):
        costs = _Costs.of(bins, values)
        size = min(len(form.codebook), len(values))
        entries = min((costs.best(size, low=low) for low in (True, False)), key=lambda pair: pair[0])[1]
        if form.codebook_type in {CodebookType.F16, CodebookType.F32}:
            entries = _polished(entries, bins)
        rounded = np.unique(rounded_entries(entries * most, form)).astype(np.float64)
        found.append((bins.error_of(rounded / most), tuple(rounded.tolist())))
    return [entries for _, entries in sorted(found, key=lambda pair: pair[0])]


def _ranges(form: WeightFormat) -> list[tuple[float, Float64]]:
    """Largest entries, and the values that all entries may have then, over it."""
    match form.codebook_type:
        case CodebookType.F8E4M3:
            finite = np.unique(e4m3_values()[np.isfinite(e4m3_values())]).astype(np.float64)
            return [(most, finite[np.abs(finite) <= most] / most) for most in _LARGEST]
        case CodebookType.I8:
            whole = np.arange(-_LARGEST_INTEGER, _LARGEST_INTEGER + 1)
            return [(_LARGEST_INTEGER, whole / _LARGEST_INTEGER)]
        case _:
            return [(form.largest, np.linspace(-1, 1, _EVEN))]


@dataclass(frozen=True, slots=True)
class _Bins:
    """The numbers of a weight in bins.

    Attributes:
        middles: x, [B].
        sums: Sums of count, count x and count x^2 over the bins before each place, [3, B + 1].
    """

    middles: Float64
    sums: Float64

    @classmethod
    def of(cls, counts: Float64) -> _Bins:
        bins = len(counts)
        middles = (2 * np.arange(bins) + 1) / bins - 1
        sums = np.zeros((3, bins + 1))
        np.cumsum(counts * middles ** np.arange(3)[:, None], axis=1, out=sums[:, 1:])
        return cls(middles, sums)

    def places(self, values: Float64) -> NDArray[np.intp]:
        """The number of bins below values."""
        return np.searchsorted(self.middles, values)

    def error(self, first: NDArray[np.intp], last: NDArray[np.intp], value: Float64) -> Float64:
        """The error of a value for the bins from a place up to another one."""
        count, linear, square = self.sums[:, last] - self.sums[:, first]
        return np.asarray(square - 2 * value * linear + value * value * count)

    def error_of(self, entries: Float64) -> float:
        """The error of a codebook."""
        ends = self._ends(entries)
        return float(self.error(ends[:-1], ends[1:], entries).sum())

    def means(self, entries: Float64) -> Float64:
        """The mean of the numbers of each entry; entries without any stay."""
        ends = self._ends(entries)
        count, linear, _ = self.sums[:, ends[1:]] - self.sums[:, ends[:-1]]
        return np.asarray(np.divide(linear, count, out=entries.copy(), where=count > 0))

    def _ends(self, entries: Float64) -> NDArray[np.intp]:
        return np.concatenate([[0], self.places((entries[1:] + entries[:-1]) / 2), [len(self.middles)]])


@dataclass(frozen=True, slots=True)
class _Costs:
    """Errors of neighbouring entries.

    Attributes:
        values: v, [M].
        below: Error of the numbers below each value, if it is the first entry, [M].
        between: c, infinite where the second value is not the larger one, [M, M].
        above: Error of the numbers above each value, if it is the last entry, [M].
    """

    values: Float64
    below: Float64
    between: Float64
    above: Float64

    @classmethod
    def of(cls, bins: _Bins, values: Float64) -> _Costs:
        at, low, high = bins.places(values), values[:, None], values[None]
        middle = bins.places((low + high) / 2)
        between = bins.error(at[:, None], middle, low) + bins.error(middle, at[None], high)
        between[low >= high] = np.inf
        start, end = np.zeros_like(at), np.full_like(at, len(bins.middles))
        return cls(values, bins.error(start, at, values), between, bins.error(at, end, values))

    def best(self, size: int, *, low: bool) -> tuple[float, Float64]:
        """The least error of so many entries, and the entries.

        Args:
            size: Number of entries.
            low: Whether the first entry is the first value; otherwise the last one is the last value.
        """
        least = self.below.copy()
        if low:
            least[1:] = np.inf
        before = []
        for _ in range(size - 1):
            sums = least[:, None] + self.between
            before.append(sums.argmin(axis=0))
            least = np.take_along_axis(sums, before[-1][None], axis=0)[0]
        least = least + self.above
        last = int(least.argmin()) if low else len(self.values) - 1
        places = [last]
        for row in reversed(before):
            places.append(int(row[places[-1]]))
        return float(least[last]), self.values[places[::-1]]


def _polished(entries: Float64, bins: _Bins) -> Float64:
    """Case 5."""
    fixed = np.abs(entries) == 1
    least = bins.error_of(entries)
    for _ in range(_STEPS):
        moved = np.where(fixed, entries, bins.means(entries))
        error = bins.error_of(moved)
        if error >= least or any(low >= high for low, high in pairwise(moved)):
            break
        entries, least = moved, error
    return entries
