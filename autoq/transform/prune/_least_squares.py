"""Weights that make a layer give what it should, as far as data tell.

The groups of a layer are fitted apart from each other, and all at once.

| Symbol | Meaning | Shape |
|---|---|---|
| X | what the layer reads | [g, n, I] |
| Y | what it should give together with Z | [g, n, O] |
| Z | what is added to it further on | [g, n, O] |
| W, b | its weight and constant term | [g, O, I], [g, O] |
| D | what is added to W | [g, O, I] |
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
    """Rows of a layer, by group.

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
        Of groups for which no others are better on samples apart, those given.
    """
    apart = rows.samples % _APART == _APART - 1
    if apart.all() or not apart.any():
        return weight, offset
    known, unseen = _part(rows, ~apart), _part(rows, apart)
    given = known.given(weight, offset), unseen.given(weight, offset)
    least, best = unseen.cost(given[1]), np.zeros(len(weight))
    inexact = least > _EXACT * np.square(unseen.wanted, dtype=np.float64).mean(axis=(1, 2))
    if not inexact.any():
        return weight, offset
    system, error = _System.of(known, constant=constant), _Errors.of(known, given[0])
    for ridge in _RIDGES:
        change, shift = system.with_ridge(ridge).change(error)
        cost = unseen.cost(given[1] + unseen.read @ _turned(change) + shift[:, None])
        best[cost < least] = ridge
        least = np.minimum(least, cost)
    better = inexact & (best > 0)
    if not better.any():
        return weight, offset
    every = system.with_more(_System.of(unseen, constant=constant)).with_ridge(np.where(better, best, max(_RIDGES)))
    change, shift = every.change(error.with_more(_Errors.of(unseen, given[1])))
    last = np.zeros_like(change), np.zeros_like(shift)
    for _ in range(_ROUNDS - 1 if np.isfinite(rows.limits).any() else 0):
        ahead = change + _MOMENTUM * (change - last[0]), shift + _MOMENTUM * (shift - last[1])
        last = change, shift
        made = weight + ahead[0], offset + ahead[1]
        errors = (_Errors.of(part, part.given(*made)) for part in (known, unseen))
        further = every.change(next(errors).with_more(next(errors)), ahead[0])
        change, shift = ahead[0] + further[0], ahead[1] + further[1]
    return np.where(better[:, None, None], weight + change, weight), np.where(better[:, None], offset + shift, offset)


def _turned(values: FloatArray) -> FloatArray:
    """The transpose of each group."""
    return np.swapaxes(values, 1, 2)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of a layer; see `LayerRows`."""

    read: FloatArray
    wanted: FloatArray
    beside: FloatArray
    limits: tuple[float, float]

    def given(self, weight: FloatArray, offset: FloatArray) -> FloatArray:
        """What the layer gives together with Z, [g, n, O]."""
        found = self.read @ _turned(weight)
        found += offset[:, None]
        found += self.beside
        return found

    def cost(self, given: FloatArray) -> NDArray[np.float64]:
        """Mean square of what is off and is not cut off, [g]."""
        low, high = self.limits
        off = np.clip(given, low, high) - np.clip(self.wanted, low, high)
        return np.asarray(np.square(off, dtype=np.float64).mean(axis=(1, 2)))

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
    return _Rows(rows.read[:, some], rows.wanted[:, some], rows.beside[:, some], rows.limits)


@dataclass(frozen=True, slots=True)
class _Errors:
    """What a layer gives too little of.

    Attributes:
        count: n.
        total: Its sum over the rows, [g, O].
        products: Its products with X, summed over the rows, [g, O, I].
    """

    count: int
    total: FloatArray
    products: FloatArray

    @classmethod
    def of(cls, rows: _Rows, given: FloatArray) -> _Errors:
        error: FloatArray = np.asarray(rows.aim(given) - given, np.float32)
        return cls(error.shape[1], error.sum(axis=1), _turned(error) @ rows.read)

    def with_more(self, other: _Errors) -> _Errors:
        """Those of the rows of both."""
        return _Errors(self.count + other.count, self.total + other.total, self.products + other.products)


@dataclass(frozen=True, slots=True)
class _System:
    """The normal equations of a layer.

    Attributes:
        count: n.
        mean: Mean of X, [g, I]; zeros without a constant term.
        gram: X^T X / n without the mean, [g, I, I]; of a single group, its upper triangle.
        constant: Whether there is a constant term.
    """

    count: int
    mean: FloatArray
    gram: FloatArray
    constant: bool

    @classmethod
    def of(cls, rows: _Rows, *, constant: bool) -> _System:
        read, count = rows.read, rows.read.shape[1]
        mean = np.zeros((len(read), read.shape[2]), np.float32)
        if constant:
            # Taken away before the product: beside a large mean, the difference of two products would be noise.
            mean = read.mean(axis=1, dtype=np.float64).astype(np.float32)
            read = read - mean[:, None]
        if len(read) == 1:
            gram = blas.ssyrk(1.0 / count, read[0].T, trans=0)[None]
        else:
            gram = _turned(read) @ read / np.float32(count)
        return cls(count, mean, gram, constant)

    def with_more(self, other: _System) -> _System:
        """The equations of the rows of both."""
        count = self.count + other.count
        own, others = np.float32(self.count / count), np.float32(other.count / count)
        apart = self.mean - other.mean
        return _System(
            count,
            own * self.mean + others * other.mean,
            own * self.gram + others * other.gram + own * others * apart[:, :, None] * apart[:, None],
            self.constant,
        )

    def with_ridge(self, ridge: float | NDArray[np.float64]) -> _Solver:
        """The equations with a share of ridge, which may be one for each group, solved."""
        added = ridge * np.diagonal(self.gram, axis1=1, axis2=2).mean(axis=1, dtype=np.float64)
        left = self.gram.astype(np.float64)
        places = np.arange(left.shape[1])
        # Where nothing is read there is nothing to solve.
        left[:, places, places] += np.where(added > 0, added, 1.0)[:, None]
        if len(left) == 1 and added[0] > 0:
            return _Solver(self, added, linalg.cho_factor(left[0], lower=False, overwrite_a=True, check_finite=False))
        return _Solver(self, added, left)


@dataclass(frozen=True, slots=True)
class _Solver:
    """Normal equations with a ridge.

    Attributes:
        system: The equations.
        added: What is added to the diagonal, [g].
        left: The sum, [g, I, I]; of a single group, its Cholesky factor.
    """

    system: _System
    added: NDArray[np.float64]
    left: NDArray[np.float64] | tuple[NDArray[np.float64], bool]

    def change(self, errors: _Errors, changed: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
        """What is added to W and b.

        Args:
            errors: What the layer gives too little of, as it is by now.
            changed: D so far: the ridge pulls towards W without it.
        """
        mean, has_constant = self.system.mean, self.system.constant
        shift = errors.total / np.float32(errors.count) if has_constant else np.zeros_like(errors.total)
        products = errors.products / np.float32(errors.count) - shift[:, :, None] * mean[:, None]
        if changed is not None:
            products -= self.added.astype(np.float32)[:, None, None] * changed
        right = _turned(products).astype(np.float64)
        if isinstance(self.left, tuple):
            found = linalg.cho_solve(self.left, right[0], check_finite=False)[None]
        else:
            found = np.linalg.solve(self.left, right)
        change = np.where(self.added[:, None, None] > 0, _turned(found), 0.0).astype(np.float32)
        shift = np.where(self.added[:, None] > 0, shift, np.float32(0))
        return change, shift - (change @ mean[:, :, None])[:, :, 0] if has_constant else shift
