"""Estimates the scale of each group as NNCF 3.4 does, by the mean token of each sample.

| name       | meaning                                                          | shape     |
|------------|------------------------------------------------------------------|-----------|
| w          | numbers of a weight, by groups                                   | [O, G, g] |
| x          | mean tokens of samples, by groups                                | [G, g, n] |
| m          | largest magnitude of a channel in any mean token                 | [G, g]    |
| s, z       | scale and zero point; the zero point does not change             | [O, G]    |
| v          | the level of w / s, less the zero point                          | [O, G, g] |
| share      | m, zero where the first v is zero, with the sum 1 in a group     | [O, G, g] |

1. The error of a group is the mean over samples of ((w - s v) x)^2.
2. A candidate follows from levels: the sum of share * |w| / |v|, with the sign of the first scale; v = 0 counts 0.001.
3. Five candidates follow from the levels of the best scale so far, then five from those of 1, 0.95 ... 0.8 times the
   first scale. The best one is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoq.core import FloatArray, WeightFormat
from autoq.transform.compress import nearest_level

_STEPS = 5
_SHRINK = 0.05
_NO_LEVEL = 0.001
_EPS = np.finfo(np.float32).eps
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class MeanTokens:
    """The mean token of each sample, as methods of NNCF see the data.

    Attributes:
        values: Those of some samples, [n, I].
        magnitude: The largest magnitude of each channel in those of all samples, [I].
    """

    values: FloatArray
    magnitude: FloatArray

    @classmethod
    def of(cls, means: FloatArray, tokens: FloatArray, subset_size: int) -> MeanTokens:
        """Chooses samples: all, or from the longest to the shortest every so many.

        Args:
            means: Mean over the tokens of each sample, [n, I].
            tokens: Tokens of each sample, [n].
            subset_size: Number of samples to choose; it may become more, up to twice as many.
        """
        chosen = means
        if len(means) > subset_size:
            chosen = means[np.argsort(-tokens, kind="stable")[:: len(means) // subset_size]]
        return cls(chosen, np.abs(means).max(axis=0))


def estimate_scales(
    weight: FloatArray,
    tokens: MeanTokens,
    form: WeightFormat,
    scale: FloatArray,
    zero_point: FloatArray | None = None,
) -> FloatArray:
    """Estimates scales.

    Args:
        weight: float32 [O, I].
        tokens: What it is multiplied by.
        form: A format whose scales may be any number.
        scale: Scales to begin with, [O, G].
        zero_point: Zero points, [O, G], of formats that have them.

    Returns:
        [O, G].
    """
    groups = scale.shape[1]
    x = np.ascontiguousarray(tokens.values.T).reshape(groups, -1, len(tokens.values))
    magnitude = tokens.magnitude.reshape(groups, -1)
    step = max(1, _BLOCK // weight.shape[1])
    found = np.empty_like(scale)
    for start in range(0, len(weight), step):
        rows = slice(start, start + step)
        part = weight[rows].reshape(-1, groups, magnitude.shape[1])
        zero = None if zero_point is None else zero_point[rows, :, None]
        found[rows] = _estimated(part, x, magnitude, form, scale[rows, :, None], zero)[..., 0]
    return found


def _estimated(
    w: FloatArray, x: FloatArray, magnitude: FloatArray, form: WeightFormat, first: FloatArray, zero: FloatArray | None
) -> FloatArray:
    sign = np.sign(first)

    def levels_of(scale: FloatArray) -> FloatArray:
        return nearest_level(w / scale, form, zero)

    def error(levels: FloatArray, scale: FloatArray) -> FloatArray:
        off = np.swapaxes(w - levels * scale, 0, 1) @ x
        return np.asarray(np.square(off).mean(axis=-1).T[..., None])

    levels = levels_of(first)
    share = np.where(levels == 0, np.float32(0), magnitude)
    share /= share.sum(axis=-1, keepdims=True) + _EPS
    best, least = first.copy(), error(levels, first)
    for step in range(2 * _STEPS):
        if step >= _STEPS:
            levels = levels_of(first * np.float32(1 - _SHRINK * (step - _STEPS)))
        elif step:
            levels = levels_of(best)
        counted = np.abs(levels) + np.float32(_NO_LEVEL) * (levels == 0)
        candidate = (np.abs(w) / counted * share).sum(axis=-1, keepdims=True) * sign
        # A group without any level has no share, and keeps its scale.
        usable = candidate != 0
        candidate = np.where(usable, candidate, first)
        off = error(levels_of(candidate), candidate)
        better = usable & (off <= least)
        best, least = np.where(better, candidate, best), np.where(better, off, least)
    return best
