import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autoq.calibration import estimate_range
from autoq.core import RangeEstimator

# Rows of one tensor: minima -4, -1, -1; maxima 1, 2, 6.
MINIMUM, MAXIMUM = np.float32([[-4], [-1], [-1]]), np.float32([[1], [2], [6]])
TABLE = [
    (RangeEstimator.MIN_MAX, False, -4, 6),
    (RangeEstimator.MIN_MAX, True, -4, 6),
    (RangeEstimator.MEAN_MIN_MAX, False, -2, 3),
    (RangeEstimator.MEAN_MIN_MAX, True, -2, 4),
    (RangeEstimator.MEDIAN_MIN_MAX, False, -1, 2),
    (RangeEstimator.MEDIAN_MIN_MAX, True, -1, 4),
    (RangeEstimator.MEAN_NO_OUTLIERS, False, -1, 2),
]


@pytest.mark.parametrize(("estimator", "symmetric", "low", "high"), TABLE)
def test_per_tensor_table(estimator, symmetric, low, high):
    found = estimate_range(MINIMUM, MAXIMUM, estimator, symmetric=symmetric, per_channel=False)
    np.testing.assert_allclose(np.concatenate(found), [low, high], rtol=1e-6)


@pytest.mark.parametrize("estimator", list(RangeEstimator))
def test_per_channel_is_always_the_extremes(estimator):
    minimum, maximum = np.float32([[-1, 0], [-3, -1]]), np.float32([[1, 5], [2, 3]])
    low, high = estimate_range(minimum, maximum, estimator, symmetric=False, per_channel=True)
    np.testing.assert_array_equal(low, [-3, -1])
    np.testing.assert_array_equal(high, [2, 5])


@given(arrays(np.float32, (6, 3), elements=st.floats(-100, 100, width=32)), st.sampled_from(RangeEstimator))
def test_a_range_lies_within_the_extremes(values, estimator):
    minimum, maximum = np.minimum(values, 0), np.maximum(values, 0)
    low, high = estimate_range(minimum, maximum, estimator, symmetric=False, per_channel=False)
    assert minimum.min() - 1e-4 <= low[0] <= high[0] <= maximum.max() + 1e-4
