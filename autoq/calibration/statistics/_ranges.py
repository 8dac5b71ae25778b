"""Range estimators: they reduce the rows of the table, which are statistics per sample, to one range.

| name      | meaning                                  | shape            |
|-----------|------------------------------------------|------------------|
| values    | one statistic of every sample            | [rows, channels] |
| low, high | the range                                | [channels]       |

Statistics and aggregators are those of NNCF 3.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from autoq.core import Aggregator, FloatArray, PlanError, RangeEnd, RangeEstimator, SampleStatistic


def aggregate(values: FloatArray, end: RangeEnd) -> FloatArray:
    """One number per channel.

    Args:
        values: A statistic of every sample, [rows, channels].
        end: Says how the rows are reduced.

    Returns:
        [channels].

    Raises:
        KeyError: The aggregator searches a histogram instead.
    """
    return np.asarray(_REDUCTIONS[end.aggregator](values, end.outlier_probability), np.float32)


_MEDIAN = 0.5
_MAGNITUDES = frozenset({SampleStatistic.ABS_MAX, SampleStatistic.ABS_QUANTILE})


def _inside(values: FloatArray, probability: float) -> NDArray[np.float32]:
    """The values; those outside their own quantiles over the samples become NaN, unless all would."""
    low, high = np.quantile(values, [probability, 1 - probability], axis=0)
    inside = (values >= low) & (values <= high)
    return np.where(inside | ~inside.any(axis=0), values, np.float32(np.nan))


_REDUCTIONS: Mapping[Aggregator, Callable[[FloatArray, float], NDArray[np.floating]]] = {
    Aggregator.MIN: lambda values, _: values.min(axis=0),
    Aggregator.MAX: lambda values, _: values.max(axis=0),
    Aggregator.MEAN: lambda values, _: values.mean(axis=0, dtype=np.float64),
    Aggregator.MEDIAN: lambda values, _: np.median(values, axis=0),
    Aggregator.MEAN_NO_OUTLIERS: lambda values, p: np.nanmean(_inside(values, p), axis=0, dtype=np.float64),
    Aggregator.MEDIAN_NO_OUTLIERS: lambda values, p: np.nanmedian(_inside(values, p), axis=0),
}


def estimate_range(
    of: Callable[[SampleStatistic, float], FloatArray], estimator: RangeEstimator, *, symmetric: bool
) -> tuple[FloatArray, FloatArray]:
    """Reduces the statistics of the samples to a range.

    Args:
        of: Gives values [rows, channels] of a statistic at a quantile; only quantile statistics use the latter.
        estimator: An estimator that does not search.
        symmetric: Whether the upper end is the largest magnitude, so that outliers of both signs count alike.

    Returns:
        Lower and upper ends, each [channels].
    """
    low, high = estimator.minimum, estimator.maximum
    upper = SampleStatistic.ABS_MAX if symmetric and high.statistic is SampleStatistic.MAX else high.statistic
    bottom = aggregate(of(low.statistic, low.outlier_probability), low)
    top = aggregate(of(upper, 1 - high.outlier_probability), high)
    if symmetric and upper in _MAGNITUDES:
        # The upper end already covers both sides; the lower one tells whether there are negative values.
        bottom = np.maximum(bottom, -top)
    return bottom, top


def extremes(minimum: FloatArray, maximum: FloatArray) -> Callable[[SampleStatistic, float], FloatArray]:
    """Statistics of a tensor for which only the extremes of each sample are known.

    A smoothed activation is such a tensor: its quantiles do not follow from the collected statistics, and the extremes
    replace them.

    Args:
        minimum: [rows, channels].
        maximum: Like `minimum`.
    """
    magnitude = np.maximum(np.abs(minimum), np.abs(maximum))

    def of(statistic: SampleStatistic, level: float) -> FloatArray:
        if statistic is SampleStatistic.MEAN:
            msg = "a range estimator reads the mean of a tensor that SmoothQuant divides, whose mean is not collected."
            raise PlanError(msg)
        if statistic in _MAGNITUDES:
            return magnitude
        lower = statistic is SampleStatistic.MIN or (statistic is SampleStatistic.QUANTILE and level < _MEDIAN)
        return minimum if lower else maximum

    return of
