"""The numbers of `scipy.stats`, without its import."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autoq.evaluation.scoring import mean_interval
from autoq.evaluation.statistics import normal_quantile, t_quantile, wilson_interval

LEVELS = [1e-9, 0.025, 0.5, 0.9, 0.95, 0.975, 0.999, 1 - 1e-9]


@pytest.mark.parametrize("level", LEVELS)
def test_quantiles(level):
    assert normal_quantile(level) == stats.norm.ppf(level)
    for degrees in (1, 2, 3, 9, 100, 10**6):
        assert t_quantile(level, degrees) == stats.t.ppf(level, degrees)


@given(st.data())
def test_the_interval_of_a_share(data):
    n = data.draw(st.integers(1, 10**5))
    count = data.draw(st.one_of(st.just(0), st.just(n), st.integers(0, n)))
    confidence = data.draw(st.sampled_from([0.5, 0.9, 0.95, 0.999]))
    expected = stats.binomtest(count, n).proportion_ci(confidence, method="wilson")
    assert wilson_interval(count, n, confidence) == (expected.low, expected.high)


def test_the_interval_of_scores_of_0_and_1_is_that_of_their_share():
    found = mean_interval(np.repeat([1, 0], [3, 9]), 0.9)
    assert (found.low, found.high, found.confidence) == (*wilson_interval(3, 12, 0.9), 0.9)
