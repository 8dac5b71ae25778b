"""Range estimators: per-sample extremes to one range, as reductions over the rows of the statistics.

| name      | meaning                                  | shape            |
|-----------|------------------------------------------|------------------|
| minimum   | per-sample minima                        | [rows, channels] |
| maximum   | per-sample maxima                        | [rows, channels] |
| low, high | the range                                | [channels]       |

Estimators are those of NNCF 3.4; per channel it always takes the extremes over the subset.
"""

from __future__ import annotations

import numpy as np

from autoq.core import FloatArray, RangeEstimator

_OUTLIER_QUANTILE = 0.01


def estimate_range(
    minimum: FloatArray, maximum: FloatArray, estimator: RangeEstimator, *, symmetric: bool, per_channel: bool
) -> tuple[FloatArray, FloatArray]:
    """Reduces per-sample extremes to a range.

    Args:
        minimum: [rows, channels].
        maximum: Like `minimum`.
        estimator: How rows become one.
        symmetric: The upper end is the magnitude, so that outliers of either sign count alike.
        per_channel: Each channel keeps its own range; always the extremes over the subset.

    Returns:
        Lower and upper ends, each [channels]; [1] where not `per_channel`.
    """
    if not per_channel:
        minimum, maximum = minimum.min(axis=1, keepdims=True), maximum.max(axis=1, keepdims=True)
    if symmetric:
        maximum = np.maximum(np.abs(minimum), np.abs(maximum))
    if per_channel or estimator is RangeEstimator.MIN_MAX:
        return minimum.min(axis=0), maximum.max(axis=0)
    if estimator is RangeEstimator.MEAN_MIN_MAX:
        return _mean(minimum), _mean(maximum)
    if estimator is RangeEstimator.MEDIAN_MIN_MAX:
        return np.median(minimum, axis=0), np.median(maximum, axis=0)
    return _mean_no_outliers(minimum), _mean_no_outliers(maximum)


def _mean(values: FloatArray) -> FloatArray:
    return np.asarray(values.mean(axis=0, dtype=np.float64), np.float32)


def _mean_no_outliers(values: FloatArray) -> FloatArray:
    """Mean over rows of the values within their own 1st and 99th percentile."""
    low, high = np.quantile(values, [_OUTLIER_QUANTILE, 1 - _OUTLIER_QUANTILE], axis=0)
    inside = (values >= low) & (values <= high)
    total = np.where(inside, values, 0).sum(axis=0, dtype=np.float64)
    return np.asarray(total / inside.sum(axis=0), np.float32)
