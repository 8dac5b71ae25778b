"""Searches the scale of each group, and its zero point, for the least error of what the group gives to its output.

| name       | meaning                                                          | shape     |
|------------|------------------------------------------------------------------|-----------|
| w          | numbers of a weight, by groups                                   | [G, O, g] |
| H          | what products of errors of a group count: all tokens' products of its columns, or their    | [G, g, g] |
|            | diagonal alone                                                    |           |
| s, z       | scale and zero point                                             | [G, O, 1] |
| v          | the level of w / s, less the zero point                          | [G, O, g] |

For the levels of a candidate the best scale is s = v H w / v H v, and it lowers the error from w H w by
(v H w)^2 / v H v. So one rounding of each candidate is enough. Of groups of more than 128 columns, H has the products
of columns that stand in one part of 128 or fewer. Groups come first: the products of one with many outputs are then one
product of matrices that lie in order.
"""

from __future__ import annotations

import numpy as np

from autoq.core import FloatArray, WeightFormat
from autoq.transform.by_data._layer import stored_scales
from autoq.transform.compress import nearest_level

# Shares of the scale that holds all numbers. A smaller one cuts off some, and rounds the others more finely.
_SHARES = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 1.05)
_SHIFTS = (-1.0, 1.0)
# Numbers that are tried together: more of them mean fewer calls, and less waiting of threads for each other.
_BLOCK = 1 << 19
# Columns whose products count together.
_PART = 128


def columns_together(group: int) -> int:
    """Columns of a part whose products count together, of groups of so many columns."""
    return next(size for size in range(min(group, _PART), 0, -1) if group % size == 0)


def search_scales(
    weight: FloatArray,
    importance: FloatArray,
    form: WeightFormat,
    scale: FloatArray,
    zero_point: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray | None]:
    """Searches better scales.

    Args:
        weight: float32 [O, I].
        importance: What the squared error of a column counts, [I]; or what products of errors count, [B, b, b], of
            parts of b columns that stand in one group each.
        form: A format whose scales may be any number.
        scale: Scales to begin with, [O, G].
        zero_point: Zero points to begin with, [O, G], of formats that have them.

    Returns:
        Scales as they are stored, and zero points.
    """
    outputs, groups = scale.shape
    found = np.empty_like(scale)
    zeros = None if zero_point is None else np.empty_like(zero_point)
    step = max(1, _BLOCK // weight.shape[1])
    for start in range(0, outputs, step):
        rows = slice(start, start + step)
        part = np.ascontiguousarray(weight[rows].reshape(-1, groups, weight.shape[1] // groups).swapaxes(0, 1))
        usual = scale[rows].T[..., None]
        first = None if zero_point is None else zero_point[rows].T[..., None]
        search = _Search(part, importance, form, usual, first)
        for share in _SHARES:
            search.take(usual * np.float32(share), first)
        if first is not None:
            best, high = search.zero_point, form.levels[1]
            for shift in _SHIFTS:
                search.take(search.scale.copy(), np.clip(best + np.float32(shift), 0, high))
        found[rows] = search.scale[..., 0].T
        if zeros is not None:
            zeros[rows] = search.zero_point[..., 0].T
    return stored_scales(found, form, scale), zeros


class _Search:
    """The best scales of a block so far."""

    def __init__(
        self, part: FloatArray, importance: FloatArray, form: WeightFormat, scale: FloatArray, zero: FloatArray | None
    ) -> None:
        self._part = part
        self._importance = importance
        self._form = form
        self._gain = np.full(scale.shape, -1.0, np.float32)
        self.scale = scale.copy()
        self.zero_point = np.zeros_like(scale) if zero is None else zero.copy()

    def take(self, scale: FloatArray, zero: FloatArray | None) -> None:
        """Tries one candidate for each group."""
        levels = nearest_level(self._part * (np.float32(1) / scale), self._form, zero)
        counted = self._counted(levels)
        cross = np.einsum("goi,goi->go", counted, self._part)[..., None]
        norm = np.einsum("goi,goi->go", counted, levels)[..., None]
        known = norm > 0
        fitted = np.divide(cross, norm, out=scale.copy(), where=known)
        gain = np.where(known, cross * fitted, 0)
        better = gain > self._gain
        self._gain[better] = gain[better]
        self.scale[better] = np.where(fitted == 0, scale, fitted)[better]
        if zero is not None:
            self.zero_point[better] = zero[better]

    def _counted(self, levels: FloatArray) -> FloatArray:
        """H v, [G, O, g]."""
        if self._importance.ndim == 1:
            return levels * self._importance.reshape(len(levels), 1, -1)
        if len(self._importance) == len(levels):
            return np.asarray(levels @ self._importance, np.float32)
        # Groups of several parts.
        groups, outputs, group = levels.shape
        columns = self._importance.shape[-1]
        parts = levels.reshape(groups, outputs, group // columns, columns).swapaxes(1, 2)
        counted = parts @ self._importance.reshape(groups, -1, columns, columns)
        return np.asarray(counted.swapaxes(1, 2).reshape(levels.shape), np.float32)
