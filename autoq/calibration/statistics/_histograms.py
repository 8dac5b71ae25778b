"""Histograms of tensors whose range is not known before.

Bins are logarithmic in the magnitude, and the same for every tensor: 16 bins for each octave. So a histogram needs no
range, histograms of several samples can be added, and tensors of any spread have the same resolution. The bin of a
float32 is its exponent with the first four bits of its mantissa.

| name    | meaning                                                | shape               |
|---------|--------------------------------------------------------|---------------------|
| counts  | values in each bin, negative magnitudes apart          | [..., 2, BINS]      |
| edges   | magnitudes between the bins; the last one is infinity  | [BINS + 1]          |
| bound   | largest magnitude of each side                         | [sites]             |

Values are assumed to be evenly spread within a bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autoq.core import FloatArray

_MANTISSA_BITS = 4
_SHIFT = 23 - _MANTISSA_BITS
_LOWEST_EXPONENT = -14
_OCTAVES = 32
BINS = _OCTAVES << _MANTISSA_BITS
_FIRST_BIN = (127 + _LOWEST_EXPONENT) << _MANTISSA_BITS
# Shares are kept as float16. They are scaled to its range, so that their relative error stays below a thousandth.
_SCALE = np.float32(60000)

Float64 = NDArray[np.float64]


def bin_edges() -> Float64:
    """Magnitudes at which the bins begin, and infinity."""
    bits = (np.arange(BINS, dtype=np.uint32) + _FIRST_BIN) << _SHIFT
    edges = bits.view(np.float32).astype(np.float64)
    edges[0] = 0
    return np.append(edges, np.inf)


def histogram(values: FloatArray) -> NDArray[np.float16]:
    """Shares of a tensor's values in each bin, times a constant, [2, BINS]: positive ones first.

    Args:
        values: Any shape, float32.
    """
    bits = np.ascontiguousarray(values, np.float32).reshape(-1).view(np.uint32)
    index = ((bits & np.uint32(0x7FFFFFFF)) >> np.uint32(_SHIFT)).astype(np.int32) - _FIRST_BIN
    np.clip(index, 0, BINS - 1, out=index)
    index += (bits >> np.uint32(31)).astype(np.int32) * BINS
    counts = np.bincount(index, minlength=2 * BINS)
    return (counts * (_SCALE / max(index.size, 1))).astype(np.float16).reshape(2, BINS)


@dataclass(frozen=True)
class Spread:
    """Distribution of the magnitudes of several tensors, on one side of zero.

    Attributes:
        mass: Share of the values in each bin, [sites, BINS].
        bound: Largest magnitude, [sites].
    """

    mass: Float64
    bound: Float64

    @cached_property
    def edges(self) -> Float64:
        """Edges of each site's bins, cut at its bound, [sites, BINS + 1]."""
        return np.minimum(bin_edges(), self.bound[:, None])

    @cached_property
    def _below(self) -> tuple[Float64, Float64, Float64]:
        """Moments 0 to 2 of the magnitudes below each edge, [sites, BINS + 1]."""
        moments = (_density_moment(self.mass, self.edges[:, :-1], self.edges[:, 1:], order) for order in range(3))
        first, second, third = (np.pad(np.cumsum(m, axis=1), ((0, 0), (1, 0))) for m in moments)
        return first, second, third

    def below(self, threshold: Float64) -> tuple[Float64, Float64, Float64]:
        """Moments 0, 1, 2 of the magnitudes below thresholds.

        Args:
            threshold: [sites, n].

        Returns:
            Three arrays [sites, n].
        """
        cut = np.clip(threshold, 0, self.bound[:, None])
        index = np.clip(np.searchsorted(bin_edges(), cut, side="right") - 1, 0, BINS - 1)
        rows = np.arange(len(self.mass))[:, None]
        low, high = self.edges[rows, index], self.edges[rows, index + 1]
        share = np.divide(cut - low, high - low, out=np.ones_like(cut), where=high > low)
        partial = (_density_moment(self.mass[rows, index] * share, low, cut, order) for order in range(3))
        first, second, third = (whole[rows, index] + part for whole, part in zip(self._below, partial, strict=True))
        return first, second, third

    def clipping_error(self, threshold: Float64) -> Float64:
        """Mean squared error of cutting magnitudes at thresholds [sites, n]."""
        m0, m1, m2 = (whole[:, -1:] - part for whole, part in zip(self._below, self.below(threshold), strict=True))
        return np.maximum(m2 - 2 * threshold * m1 + threshold**2 * m0, 0)

    def rounding_error(self, step: Float64) -> Float64:
        """Mean squared error of rounding to multiples of steps [sites, n]; values below half a step become zero."""
        m0, _, m2 = self.below(step / 2)
        return m2 + step**2 / 12 * (self._below[0][:, -1:] - m0)


def _density_moment(mass: Float64, low: Float64, high: Float64, order: int) -> Float64:
    """Integral of x^order over bins with even density."""
    if order == 0:
        return mass
    if order == 1:
        return mass * (low + high) / 2
    return mass * (low**2 + low * high + high**2) / 3
