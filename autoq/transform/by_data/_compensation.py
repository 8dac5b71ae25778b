"""Rounds a weight so that numbers that are rounded later take over the errors of those before: GPTQ, in blocks.

| name     | meaning                                                          | shape  |
|----------|------------------------------------------------------------------|--------|
| w        | the weight, its columns in the order of rounding                 | [I, O] |
| adjusted | w with all errors before taken over                              | [I, O] |
| rounded  | adjusted, rounded to a multiple of its scale                     | [I, O] |
| e        | (adjusted - rounded) / diagonal of U                             | [I, O] |

A column is rounded when all before it are: adjusted_j = w_j - sum over i < j of U_ij e_i. In a block of columns,
adjusted = M w + (1 - M) rounded, with the triangle M that `InverseFactor.within` holds. What is rounded in column j
depends on the columns before only, so that repeating "round, adjust" from any start ends at the one fixed point, at the
latest after as many rounds as there are columns, and mostly after five. A round is one product of small matrices.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autoq.core import FloatArray
from autoq.transform.by_data._factor import BLOCK, InverseFactor, within_block

# Rounds of columns that are adjusted together, and rows at a time: their arrays stay in the cache of a core.
_OUTER = 8 * BLOCK
_ROWS = 2048

Round = Callable[[FloatArray], FloatArray]


def compensated(weight: FloatArray, factor: InverseFactor, grid: Callable[[slice, slice], Round]) -> FloatArray:
    """Rounds a weight.

    Args:
        weight: float32 [O, I]; never modified.
        factor: How errors are passed on.
        grid: For the slice of columns, counted in the order of rounding, and the slice of outputs, gives what rounds
            numbers [B, O'].

    Returns:
        Rounded numbers, float32 [O, I].
    """
    result = np.empty_like(weight)
    for start in range(0, len(weight), _ROWS):
        rows = slice(start, min(start + _ROWS, len(weight)))
        numbers = np.ascontiguousarray(weight[rows].T[factor.order])
        _in_place(numbers, factor, rows, grid)
        result[rows, factor.order] = numbers.T
    return result


def _in_place(numbers: FloatArray, factor: InverseFactor, rows: slice, grid: Callable[[slice, slice], Round]) -> None:
    """Rounds numbers [I, O'], which are in the order of rounding."""
    upper, length = factor.upper, len(numbers)
    for start in range(0, length, _OUTER):
        end = min(start + _OUTER, length)
        errors = np.empty((end - start, numbers.shape[1]), np.float32)
        for first in range(start, end, BLOCK):
            block = slice(first, min(first + BLOCK, end))
            own = upper[block, block]
            whole = block.stop - first == BLOCK
            matrix = factor.within[first // BLOCK] if whole else within_block(own)
            adjusted, found = _fixed_point(numbers[block], matrix, grid(block, rows))
            error = errors[first - start : block.stop - start]
            np.subtract(adjusted, found, out=error)
            error /= np.diagonal(own)[:, None]
            numbers[block] = found
            if block.stop < end:
                numbers[block.stop : end] -= upper[block, block.stop : end].T @ error
        if end < length:
            numbers[end:] -= upper[start:end, end:].T @ errors


def _fixed_point(numbers: FloatArray, matrix: FloatArray, rounded: Round) -> tuple[FloatArray, FloatArray]:
    """Adjusted and rounded numbers of a block, [B, O'] each."""
    fixed = matrix @ numbers
    passed = np.eye(len(matrix), dtype=np.float32) - matrix
    adjusted: FloatArray = numbers
    found = rounded(numbers)
    for _ in range(len(numbers)):
        adjusted = np.asarray(fixed + passed @ found, np.float32)
        again = rounded(adjusted)
        if np.array_equal(again, found):
            break
        found = again
    return adjusted, found
