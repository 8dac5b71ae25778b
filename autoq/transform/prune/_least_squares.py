"""Weights that make a layer give what it should, as far as data tell.

| Symbol | Meaning | Shape |
|---|---|---|
| X | what the layer reads | [n, I] |
| Y | what it should give together with Z | [n, O] |
| Z | what is added to it further on | [n, O] |
| W, b | its weight and constant term | [O, I], [O] |
| D | what is added to W | [O, I] |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.linalg import blas

from autoq.core import FloatArray

# Shares of the mean square of the columns that keep D small: the best one on samples apart is taken.
_RIDGES = (1e-3, 1e-2, 1e-1, 1.0)
# Each so-manieth sample is apart.
_APART = 4
# How often what is cut off is found again.
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class LayerRows:
    """Rows of a layer.

    Attributes:
        read: X.
        wanted: Y.
        beside: Z.
        samples: Number of the sample of each row, [n].
        limits: Bounds of Y that count: beyond them, a function cuts values off.
    """

    read: FloatArray
    wanted: FloatArray
    beside: FloatArray
    samples: NDArray[np.int64]
    limits: tuple[float, float]


def fitted(rows: LayerRows, weight: FloatArray, offset: FloatArray, *, constant: bool) -> tuple[FloatArray, FloatArray]:
    """W and b with the least squares of what is not cut off, near the given ones.

    The sum of squares over values that a function cuts off is not quadratic: each round replaces what is wanted there
    by what is given, if that is cut off as well. The sum does not grow from round to round.

    Args:
        rows: The rows.
        weight: W that it begins with.
        offset: b that it begins with.
        constant: Whether b changes.

    Returns:
        Those given, if no others are better on samples apart.
    """
    apart = rows.samples % _APART == _APART - 1
    known, unseen = _part(rows, ~apart), _part(rows, apart)
    if not len(unseen.read) or not len(known.read):
        return weight, offset
    least, best = _cost(unseen, weight, offset), None
    system = _System.of(known, constant=constant)
    for ridge in _RIDGES:
        cost = _cost(unseen, *system.solved(known, weight, offset, ridge, rounds=1))
        if cost < least:
            least, best = cost, ridge
    if best is None:
        return weight, offset
    every = system.with_more(_System.of(unseen, constant=constant))
    rounds = _ROUNDS if np.isfinite(rows.limits).any() else 1
    return every.solved(rows, weight, offset, best, rounds=rounds)


def _part(rows: LayerRows, some: NDArray[np.bool_]) -> LayerRows:
    return LayerRows(rows.read[some], rows.wanted[some], rows.beside[some], rows.samples[some], rows.limits)


def _aim(rows: LayerRows, given: FloatArray) -> FloatArray:
    """What is wanted, or what is given where both are cut off alike."""
    low, high = rows.limits
    aim = rows.wanted
    if low > -np.inf:
        aim = np.where(aim <= low, np.minimum(given, low), aim)
    if high < np.inf:
        aim = np.where(rows.wanted >= high, np.maximum(given, high), aim)
    return aim


def _cost(rows: LayerRows, weight: FloatArray, offset: FloatArray) -> float:
    given = rows.read @ weight.T + offset + rows.beside
    low, high = rows.limits
    return float(np.square(np.clip(given, low, high) - np.clip(rows.wanted, low, high), dtype=np.float64).mean())


@dataclass(frozen=True, slots=True)
class _System:
    """The normal equations of a layer.

    Attributes:
        count: n.
        mean: Mean of X; zeros without a constant term.
        gram: X^T X / n without the mean, its upper triangle.
        constant: Whether there is a constant term.
    """

    count: int
    mean: FloatArray
    gram: FloatArray
    constant: bool

    @classmethod
    def of(cls, rows: LayerRows, *, constant: bool) -> _System:
        read = rows.read
        mean = read.mean(axis=0) if constant else np.zeros(read.shape[1], np.float32)
        gram = blas.ssyrk(1.0 / len(read), read.T, trans=0)
        return cls(len(read), mean, gram - np.outer(mean, mean), constant)

    def with_more(self, other: _System) -> _System:
        """The equations of the rows of both."""
        count = self.count + other.count
        own, others = np.float32(self.count / count), np.float32(other.count / count)
        apart = self.mean - other.mean
        return _System(
            count,
            own * self.mean + others * other.mean,
            own * self.gram + others * other.gram + own * others * np.outer(apart, apart),
            self.constant,
        )

    def solved(
        self, rows: LayerRows, weight: FloatArray, offset: FloatArray, ridge: float, *, rounds: int
    ) -> tuple[FloatArray, FloatArray]:
        """W and b for a share of ridge."""
        added = ridge * float(np.diagonal(self.gram).mean())
        if added <= 0:
            return weight, offset
        left = self.gram.astype(np.float64)
        left[np.diag_indices_from(left)] += added
        factor = linalg.cho_factor(left, lower=False, overwrite_a=True, check_finite=False)
        now, constant = weight, offset
        for _ in range(rounds):
            given = rows.read @ now.T + constant + rows.beside
            error = _aim(rows, given) - given
            shift = error.mean(axis=0) if self.constant else np.zeros_like(offset)
            products = error.T @ rows.read / len(error) - np.outer(shift, self.mean)
            # From the beginning: the ridge pulls towards the given weight, not towards that of the last round.
            products -= added * (now - weight)
            change = linalg.cho_solve(factor, products.T.astype(np.float64), check_finite=False).T.astype(np.float32)
            now = now + change
            if self.constant:
                constant = constant + shift - change @ self.mean
        return now, constant
