"""Searches for the range of a tensor in its histogram, for all tensors at once.

| name         | meaning                                              | shape            |
|--------------|------------------------------------------------------|------------------|
| low, high    | candidate ranges                                     | [sites, n]       |
| positive     | values above zero                                    | Spread           |
| negative     | magnitudes of values below zero                      | Spread           |
| levels       | 2^bits, quantization levels                          | scalar           |

A symmetric range is searched along one line, and an asymmetric one over all pairs of ends. A side without values stays
at zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from autoq.calibration.statistics._histograms import Float64, Spread
from autoq.core import Aggregator, FloatArray

# Number of levels in NNCF's search, for any number of bits.
_GREEDY_LEVELS = 256
# Candidates span eight octaves below the extreme and are dense near it: eight bits cannot span more.
_SHRINKS = np.concatenate([np.linspace(1, 0.5, 33), 0.5 * 2 ** (-np.arange(1, 43) / 6)])
_PAIR_SHRINKS = _SHRINKS[::3]
_LINEAR_BINS = 2048
_GREEDY_STEP = 1e-5


def search_ranges(
    positive: Spread, negative: Spread, symmetric: NDArray[np.bool_], aggregator: Aggregator, *, bits: int = 8
) -> tuple[FloatArray, FloatArray]:
    """The best range of each tensor.

    Args:
        positive: Spread of the values above zero.
        negative: Spread of the magnitudes below zero.
        symmetric: Whether zero is the middle of the range, [sites].
        aggregator: "mse", "kl" or "histogram".
        bits: Width of the integers, for "mse" and "kl".

    Returns:
        Lower and upper ends, each [sites]. The lower end of a symmetric range is minus the upper one if there are
        negative values, otherwise zero.
    """
    if aggregator is Aggregator.HISTOGRAM:
        low, high = _greedy(positive, negative)
        return low.astype(np.float32), high.astype(np.float32)
    low, high = np.empty(len(symmetric)), np.empty(len(symmetric))
    for kind, candidates in ((True, _line), (False, _pairs if aggregator is Aggregator.MSE else _shrunk)):
        rows = np.flatnonzero(symmetric == kind)
        if not rows.size:
            continue
        above, below = (Spread(side.mass[rows], side.bound[rows]) for side in (positive, negative))
        lows, highs = candidates(above.bound, below.bound)
        error = _ERRORS[aggregator](above, below, lows, highs, 2**bits)
        best = np.argmin(error, axis=1)
        low[rows] = lows[np.arange(len(rows)), best]
        high[rows] = highs[np.arange(len(rows)), best]
    return low.astype(np.float32), high.astype(np.float32)


# --- candidates ------------------------------------------------------------------------------------------------------


def _line(above: Float64, below: Float64) -> tuple[Float64, Float64]:
    high = np.maximum(above, below)[:, None] * _SHRINKS
    return np.where(below[:, None] > 0, -high, 0), high


def _shrunk(above: Float64, below: Float64) -> tuple[Float64, Float64]:
    """Ends of a line of candidates: the larger end shrinks down to the smaller one, then both shrink."""
    high = np.maximum(above, below)[:, None] * _SHRINKS
    return -np.minimum(below[:, None], high), np.minimum(above[:, None], high)


def _pairs(above: Float64, below: Float64) -> tuple[Float64, Float64]:
    shape = (len(above), _PAIR_SHRINKS.size, _PAIR_SHRINKS.size)
    low = np.broadcast_to(-(below[:, None] * _PAIR_SHRINKS)[:, :, None], shape)
    high = np.broadcast_to((above[:, None] * _PAIR_SHRINKS)[:, None, :], shape)
    return low.reshape(len(above), -1), high.reshape(len(above), -1)


# --- errors ----------------------------------------------------------------------------------------------------------


def _squared_error(positive: Spread, negative: Spread, low: Float64, high: Float64, levels: int) -> Float64:
    """Mean squared difference between values and quantized values, [sites, n]."""
    step = (high - low) / (levels - 1)
    rounding = positive.rounding_error(step) + negative.rounding_error(step)
    return positive.clipping_error(high) + negative.clipping_error(-low) + rounding


def _divergence(positive: Spread, negative: Spread, low: Float64, high: Float64, levels: int) -> Float64:
    """Kullback-Leibler divergence from the histogram of the clipped values to that of the quantized ones.

    Migacz, "8-bit inference with TensorRT", 2017. Clipped values count in the outermost bins of the former, and do not
    count in the latter. There, each level spreads its mass evenly over those of its bins that hold values.
    """
    found = np.empty_like(low)
    for column in range(low.shape[1]):
        inside = _linear(positive, negative, low[:, column], high[:, column])
        clipped = inside.copy()
        clipped[:, 0] += _tail(negative, -low[:, column])
        clipped[:, -1] += _tail(positive, high[:, column])
        held = clipped > 0
        per_level = (len(inside), levels, -1)
        mass = inside.reshape(per_level).sum(axis=2)
        bins = held.reshape(per_level).sum(axis=2)
        even = np.divide(mass, bins, out=np.zeros_like(mass), where=bins > 0)
        quantized = np.where(held, np.repeat(even, _LINEAR_BINS // levels, axis=1), 0)
        found[:, column] = _relative_entropy(clipped, quantized)
    return found


_ERRORS: Mapping[Aggregator, Callable[[Spread, Spread, Float64, Float64, int], Float64]] = {
    Aggregator.MSE: _squared_error,
    Aggregator.KL: _divergence,
}


def _relative_entropy(p: Float64, q: Float64) -> Float64:
    """Divergence of p from q by row, both scaled to a sum of one. A bin that is empty in q counts as nearly empty."""
    p = p / np.maximum(p.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    q = q / np.maximum(q.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    floor = 1e-9
    return np.asarray((p * np.log(np.maximum(p, floor) / np.maximum(q, floor))).sum(axis=1))


def _tail(side: Spread, threshold: Float64) -> Float64:
    below, _, _ = side.below(threshold[:, None])
    return np.asarray(side.mass.sum(axis=1) - below[:, 0])


def _linear(positive: Spread, negative: Spread, low: Float64, high: Float64) -> Float64:
    """Mass of evenly spaced bins between low and high, [sites, bins]."""
    edges = low[:, None] + (high - low)[:, None] * (np.arange(_LINEAR_BINS + 1) / _LINEAR_BINS)
    above, _, _ = positive.below(np.maximum(edges, 0))
    beneath, _, _ = negative.below(np.maximum(-edges, 0))
    return np.maximum(np.diff(above - beneath, axis=1), 0)


# --- the search of NNCF ----------------------------------------------------------------------------------------------


def _greedy(positive: Spread, negative: Spread) -> tuple[Float64, Float64]:
    """NNCF 3.4's search on 2048 even bins: cut the side with fewer values per bin while the squared error falls."""
    low, high = -negative.bound, positive.bound
    mass = _linear(positive, negative, low, high)
    width = (high - low) / _LINEAR_BINS
    ends = np.array([_cut(row) if row.sum() > 0 else (0, _LINEAR_BINS - 1) for row in mass])
    return low + width * ends[:, 0], low + width * (ends[:, 1] + 1)


def _cut(mass: Float64) -> tuple[int, int]:
    """First and last bin that are kept."""
    total = np.cumsum(mass)
    shares = np.arange(1, int(0.5 / _GREEDY_STEP)) * _GREEDY_STEP
    lefts = np.searchsorted(total, shares * total[-1], side="left")
    rights = np.searchsorted(total, (1 - shares) * total[-1], side="right") - 1
    first, last, cut_left, cut_right = 0, len(mass) - 1, 0, 0
    least = np.inf
    while cut_left + cut_right < len(shares) - 1:
        left = min(max(int(lefts[cut_left]), first), last)
        right = max(min(int(rights[cut_right]), last), first)
        move_left = left - first > last - right
        trial = (left, last) if move_left else (first, right)
        cut_left, cut_right = cut_left + move_left, cut_right + (not move_left)
        if trial == (first, last):
            continue
        error = _binned_error(mass, *trial)
        if error > least:
            break
        least, (first, last) = error, trial
    return first, last


def _binned_error(mass: Float64, first: int, last: int) -> float:
    """Squared error of quantizing even bins to the centres of levels between two bins, in units of a bin."""
    step = (last - first + 1) / _GREEDY_LEVELS
    begin = np.arange(len(mass)) - first
    end = begin + 1
    low, high = (np.clip(np.floor(edge / step), 0, _GREEDY_LEVELS - 1) for edge in (begin, end))

    def cubes(start: Float64 | float, stop: Float64 | float) -> Float64:
        return np.asarray((np.power(stop, 3) - np.power(start, 3)) / 3)

    half = step / 2
    error = cubes(begin - (low + 0.5) * step, half) + (high - low - 1) * cubes(-half, half)
    return float((mass * (error + cubes(-half, end - (high + 0.5) * step))).sum())
