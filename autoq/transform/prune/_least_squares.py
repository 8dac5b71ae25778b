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
# How often what is cut off is found again, and how far each round goes on in the direction of the one before it.
_ROUNDS = 3
_MOMENTUM = 0.8
# A layer whose values are off by less than this share of their mean square gives what it should.
_EXACT = 1e-10


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
    by what is given, if that is cut off as well. The first round tells the ridge, and is the only one where nothing is
    cut off.

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
    given = known.given(weight, offset), unseen.given(weight, offset)
    least, best = unseen.cost(given[1]), None
    if least <= _EXACT * float(np.square(unseen.wanted, dtype=np.float64).mean()):
        return weight, offset
    system, error = _System.of(known, constant=constant), _Errors.of(known, given[0])
    for ridge in _RIDGES:
        change, shift = system.with_ridge(ridge).change(error)
        cost = unseen.cost(given[1] + unseen.read @ change.T + shift)
        if cost < least:
            least, best = cost, ridge
    if best is None:
        return weight, offset
    every = system.with_more(_System.of(unseen, constant=constant)).with_ridge(best)
    change, shift = every.change(error.with_more(_Errors.of(unseen, given[1])))
    last = np.zeros_like(change), np.zeros_like(shift)
    for _ in range(_ROUNDS - 1 if np.isfinite(rows.limits).any() else 0):
        ahead = change + _MOMENTUM * (change - last[0]), shift + _MOMENTUM * (shift - last[1])
        last = change, shift
        made = weight + ahead[0], offset + ahead[1]
        errors = (_Errors.of(part, part.given(*made)) for part in (known, unseen))
        further = every.change(next(errors).with_more(next(errors)), ahead[0])
        change, shift = ahead[0] + further[0], ahead[1] + further[1]
    return weight + change, offset + shift


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of a layer; see `LayerRows`."""

    read: FloatArray
    wanted: FloatArray
    beside: FloatArray
    limits: tuple[float, float]

    def given(self, weight: FloatArray, offset: FloatArray) -> FloatArray:
        """What the layer gives together with Z, [n, O]."""
        found = self.read @ weight.T
        found += offset
        found += self.beside
        return found

    def cost(self, given: FloatArray) -> float:
        """Mean square of what is off and is not cut off."""
        low, high = self.limits
        return float(np.square(np.clip(given, low, high) - np.clip(self.wanted, low, high), dtype=np.float64).mean())

    def aim(self, given: FloatArray) -> FloatArray:
        """What is wanted, or what is given where both are cut off alike."""
        low, high = self.limits
        aim = self.wanted
        if low > -np.inf:
            aim = np.where(aim <= low, np.minimum(given, low), aim)
        if high < np.inf:
            aim = np.where(self.wanted >= high, np.maximum(given, high), aim)
        return aim


def _part(rows: LayerRows, some: NDArray[np.bool_]) -> _Rows:
    return _Rows(rows.read[some], rows.wanted[some], rows.beside[some], rows.limits)


@dataclass(frozen=True, slots=True)
class _Errors:
    """What a layer gives too little of.

    Attributes:
        count: n.
        total: Its sum over the rows, [O].
        products: Its products with X, summed over the rows, [O, I].
    """

    count: int
    total: FloatArray
    products: FloatArray

    @classmethod
    def of(cls, rows: _Rows, given: FloatArray) -> _Errors:
        error: FloatArray = np.asarray(rows.aim(given) - given, np.float32)
        return cls(len(error), error.sum(axis=0), error.T @ rows.read)

    def with_more(self, other: _Errors) -> _Errors:
        """Those of the rows of both."""
        return _Errors(self.count + other.count, self.total + other.total, self.products + other.products)


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
    def of(cls, rows: _Rows, *, constant: bool) -> _System:
        read = rows.read
        mean = np.zeros(read.shape[1], np.float32)
        if constant:
            # Taken away before the product: beside a large mean, the difference of two products would be noise.
            mean = read.mean(axis=0, dtype=np.float64).astype(np.float32)
            read = read - mean
        return cls(len(read), mean, blas.ssyrk(1.0 / len(read), read.T, trans=0), constant)

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

    def with_ridge(self, ridge: float) -> _Solver:
        """The equations with a share of ridge, solved."""
        added = ridge * float(np.diagonal(self.gram).mean())
        left = self.gram.astype(np.float64)
        left[np.diag_indices_from(left)] += added
        # Where nothing is read there is nothing to solve.
        factor = linalg.cho_factor(left, lower=False, overwrite_a=True, check_finite=False) if added > 0 else None
        return _Solver(self, added, factor)


@dataclass(frozen=True, slots=True)
class _Solver:
    """Normal equations with a ridge.

    Attributes:
        system: The equations.
        added: What is added to the diagonal.
        factor: Cholesky factor of the sum; None for zeros.
    """

    system: _System
    added: float
    factor: tuple[NDArray[np.float64], bool] | None

    def change(self, errors: _Errors, changed: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """What is added to W and b.

        Args:
            errors: What the layer gives too little of, as it is by now.
            changed: D so far: the ridge pulls towards W without it.
        """
        mean, has_constant = self.system.mean, self.system.constant
        shift = errors.total / np.float32(errors.count) if has_constant else np.zeros_like(errors.total)
        products = errors.products / np.float32(errors.count) - np.outer(shift, mean)
        if changed is not None:
            products -= np.float32(self.added) * changed
        if self.factor is None:
            return np.zeros_like(products), np.zeros_like(shift)
        found = linalg.cho_solve(self.factor, products.T.astype(np.float64), check_finite=False)
        change = found.T.astype(np.float32)
        return change, shift - change @ mean if has_constant else shift
