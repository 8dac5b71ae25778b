import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autoq.calibration import estimate_range, estimator_for, extremes, has_few_values
from autoq.core import RangeEstimator

# Rows of one tensor: minima -4, -1, -1; maxima 1, 2, 6.
MINIMUM, MAXIMUM = np.float32([[-4], [-1], [-1]]), np.float32([[1], [2], [6]])
REDUCING = list(map(RangeEstimator.parse, ("min_max", "mean_min_max", "median_min_max", "mean_no_outliers")))
TABLE = [
    ("min_max", False, -4, 6),
    ("min_max", True, -4, 6),
    ("mean_min_max", False, -2, 3),
    ("mean_min_max", True, -2, 4),
    ("median_min_max", False, -1, 2),
    ("median_min_max", True, -1, 4),
    ("mean_no_outliers", False, -1, 2),
]


@pytest.mark.parametrize(("name", "symmetric", "low", "high"), TABLE)
def test_table(name, symmetric, low, high):
    found = estimate_range(extremes(MINIMUM, MAXIMUM), RangeEstimator.parse(name), symmetric=symmetric)
    np.testing.assert_allclose(np.concatenate(found), [low, high], rtol=1e-6)


FEW = [
    ((1, 8), True),
    ((-1, 8), True),  # a first axis that is open is one of samples
    ((1,), True),
    ((1, 63), True),
    ((1, 64), False),
    ((1, 3, 5, 5), False),
    ((1, -1, 8), False),  # as many as a sample has
    ((8, -1), False),
    ((1, 0), False),
    ((), False),  # of no known rank
]


@pytest.mark.parametrize(("shape", "few"), FEW, ids=[str(shape) for shape, _ in FEW])
def test_the_default_takes_the_extremes_of_a_few_values(shape, few):
    assert has_few_values(shape) is few
    default = estimator_for(RangeEstimator.MEAN_MIN_MAX, None, shape)
    assert default == (RangeEstimator.MIN_MAX if few else RangeEstimator.MEAN_MIN_MAX)
    median = RangeEstimator.MEDIAN_MIN_MAX
    assert estimator_for(median, None, shape) == median


@pytest.mark.parametrize("estimator", REDUCING, ids=str)
def test_channels_are_apart(estimator):
    minimum, maximum = np.float32([[-1, 0], [-3, -1]]), np.float32([[1, 5], [2, 3]])
    together = estimate_range(extremes(minimum, maximum), estimator, symmetric=True)
    for channel in range(2):
        alone = extremes(minimum[:, [channel]], maximum[:, [channel]])
        for found, expected in zip(together, estimate_range(alone, estimator, symmetric=True), strict=True):
            assert found[channel] == expected[0]


@given(arrays(np.float32, (6, 3), elements=st.floats(-100, 100, width=32)), st.sampled_from(REDUCING))
def test_a_range_lies_within_the_extremes(values, estimator):
    minimum, maximum = np.minimum(values, 0), np.maximum(values, 0)
    low, high = estimate_range(extremes(minimum, maximum), estimator, symmetric=False)
    assert (minimum.min(axis=0) - 1e-4 <= low).all()
    assert (low <= high).all()
    assert (high <= maximum.max(axis=0) + 1e-4).all()
