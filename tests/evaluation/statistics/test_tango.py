"""The interval's ends against the score test itself, its likelihood maximised by SciPy."""

import numpy as np
import pytest
from scipy import optimize, stats

from autoq.evaluation.statistics._tango import tango_interval

Z = stats.norm.ppf(0.975)


def score_statistic(d, lost, won, n):
    """(lost - won - n d) over its standard deviation under d, with the share of pairs won at its likeliest."""
    low, high = max(0.0, -d), (1 - d) / 2

    def unlikely(q):
        shares = np.array([q + d, q, 1 - 2 * q - d])
        return -float(np.sum(np.array([lost, won, n - lost - won]) * np.log(np.maximum(shares, 1e-300))))

    q = optimize.minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
    return (lost - won - n * d) / np.sqrt(n * (2 * q + d - d * d))


@pytest.mark.parametrize(("lost", "won", "n"), [(12, 2, 50), (1, 7, 21), (3, 0, 100), (40, 20, 160), (0, 1, 30)])
def test_the_ends_are_what_the_test_would_just_not_reject(lost, won, n):
    low, high = tango_interval(lost, won, n, Z)
    assert score_statistic(low, lost, won, n) == pytest.approx(Z, abs=1e-3)
    assert score_statistic(high, lost, won, n) == pytest.approx(-Z, abs=1e-3)


@pytest.mark.parametrize("won", range(0, 20, 2))
def test_it_excludes_no_difference_exactly_where_mcnemar_does(won):
    significant = (20 - won) ** 2 / (20 + won) > stats.chi2.ppf(0.95, 1)
    assert (tango_interval(20, won, 200, Z)[0] > 0) == significant


def test_nothing_and_everything_changed():
    low, high = tango_interval(0, 0, 100, Z)
    assert (low, high) == pytest.approx((-(Z**2) / (100 + Z**2), Z**2 / (100 + Z**2)), abs=1e-6)
    low, high = tango_interval(5, 0, 5, Z)
    assert 0 < low < high == 1
    assert tango_interval(0, 5, 5, Z) == (-high, -low)
