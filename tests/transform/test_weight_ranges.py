"""Limits of weights that round with the least squared error, against trying them out in numpy."""

import numpy as np
import pytest

from autoq.core import Precision, QuantizerScheme, RangeEstimator
from autoq.transform.quantize._weight_ranges import limits_rule, weight_numbers


def squared_error(row, low, high):
    """Of a channel rounded to 255 levels from low to high, in float64."""
    step = (high - low) / 254
    return ((np.round((np.clip(row, low, high) - low) / step) * step + low - row) ** 2).sum()


@pytest.mark.parametrize("outlier", [4.2, 6.0, 7.0, 8.0, 10.0])
def test_the_range_with_the_least_squared_error_is_found(outlier):
    """Of many small values and one large one: the larger that is, the more of it is cut, down to two fifths."""
    rng = np.random.default_rng(0)
    value = np.clip(rng.normal(0, 1, (2, 2**16)), -4, 4).astype(np.float32)
    value[1, 0] = outlier
    rule = limits_rule(QuantizerScheme(), 8, symmetric=True, halved=False, full_range=False, multiplied=True)
    found = weight_numbers(
        value, (0,), estimator=RangeEstimator.MSE, mode=Precision.INT8, rule=rule, symmetric=True, per_tensor=False
    )
    tried = outlier * np.linspace(0.4, 1, 121)
    errors = [squared_error(value[1].astype(np.float64), -end, end) for end in tried]
    best = tried[np.argmin(errors)]
    assert outlier < 5 or best < 0.85 * outlier
    assert squared_error(value[1].astype(np.float64), found.low[1], found.high[1]) <= 1.005 * min(errors)
