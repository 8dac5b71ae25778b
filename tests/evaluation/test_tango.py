"""Tango's interval: against his published example, and against the test that it inverts."""

import numpy as np
import pytest
from scipy import stats

from autoq.evaluation._tango import tango_interval


def test_it_excludes_no_difference_exactly_where_mcnemars_test_does():
    for lost in range(25):
        for won in range(25):
            if lost + won:
                low, high = tango_interval(lost, won, 400, stats.norm.ppf(0.975))
                rejected = (lost - won) ** 2 / (lost + won) > stats.chi2.ppf(0.95, 1)
                assert (low > 0 or high < 0) == rejected
                assert low <= (lost - won) / 400 <= high


def test_turned_around_it_is_the_same():
    low, high = tango_interval(7, 3, 100, 1.96)
    assert tango_interval(3, 7, 100, 1.96) == pytest.approx((-high, -low))


def test_where_nothing_changed_it_is_wilsons_upper_end():
    # The score interval of 0 of n: z^2 / (n + z^2).
    low, high = tango_interval(0, 0, 50, 1.96)
    assert (low, high) == pytest.approx((-(1.96**2) / (50 + 1.96**2), 1.96**2 / (50 + 1.96**2)))


@pytest.mark.parametrize(("lost", "won"), [(3, 2), (20, 5)])
def test_it_covers(lost, won):
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(300, [lost / 300, won / 300, 1 - (lost + won) / 300], 1500)
    truth = (lost - won) / 300
    held = [low <= truth <= high for low, high in (tango_interval(a, b, 300, 1.96) for a, b, _ in drawn)]
    assert 0.93 <= np.mean(held) <= 0.99
