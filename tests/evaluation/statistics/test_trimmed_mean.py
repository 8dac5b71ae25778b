"""The mean of the middle, and its interval, beside SciPy's."""

import numpy as np
import pytest
from scipy import stats

from autoq.evaluation.statistics import trimmed_mean


# Of so many values, as many are left out at each end.
@pytest.mark.parametrize(("count", "cut"), [(5, 1), (25, 5), (29, 5), (30, 6)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_mean_and_interval_are_scipys(count, cut, confidence):
    values = np.random.default_rng(0).standard_t(2, count)
    value, low, high = trimmed_mean(values, confidence)
    assert value == pytest.approx(stats.trim_mean(values, 0.2))
    drawn_in = stats.mstats.winsorize(values, limits=(0.2, 0.2))
    error = np.std(drawn_in, ddof=1) / (1 - 2 * cut / count) / np.sqrt(count)
    if count % 5 == 0:
        assert error == pytest.approx(stats.mstats.trimmed_stde(values, limits=(0.2, 0.2)))
    half = stats.t.ppf((1 + confidence) / 2, count - 2 * cut - 1) * error
    assert (low, high) == pytest.approx((value - half, value + half))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_of_few_values_none_is_left_out(count):
    values = np.random.default_rng(1).normal(size=count)
    expected = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    assert trimmed_mean(values, 0.95) == pytest.approx((values.mean(), *expected))


def test_disturbed_values_do_not_move_it():
    values = np.arange(10.0)
    disturbed = np.append(values[:-2], [1e6, 1e9])
    assert trimmed_mean(disturbed, 0.95) == trimmed_mean(disturbed[::-1], 0.95)
    assert trimmed_mean(disturbed, 0.95)[0] == trimmed_mean(values, 0.95)[0] == 4.5
