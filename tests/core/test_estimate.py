import numpy as np
import pytest
from scipy import stats

from autoq.core import Estimate


def test_below_needs_disjoint_intervals():
    assert Estimate(1, 0.9, 1.1).below(Estimate(2, 1.2, 2.5))
    assert not Estimate(1, 0.9, 1.3).below(Estimate(2, 1.2, 2.5))


def test_format_shows_the_interval():
    assert Estimate(0.5, 0.25, 1).format(".2f") == "0.50 [0.25, 1.00]"


def test_a_point_outside_its_interval_is_refused():
    with pytest.raises(ValueError, match=r"self\.low=2"):
        Estimate(1, 2, 3)


def test_a_point_of_unknown_error():
    unknown = Estimate.unknown(0.5)
    assert not unknown.known
    assert Estimate(1, 0.9, 1.1).known
    assert unknown.format(".2f") == "0.50 (interval unknown)"
    assert not unknown.below(Estimate(9, 8, 10))


def test_a_difference_of_symmetric_intervals_has_the_root_of_the_sum_of_squares():
    gap = Estimate(5, 2, 8).minus(Estimate(1, -3, 5))
    assert (gap.value, gap.low, gap.high) == (4, -1, 9)


def test_an_interval_of_a_difference_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    one, other = rng.normal(3, 0.5, (4000, 30)), rng.gamma(2, 1, (4000, 50))

    def interval(row):
        half = stats.t.ppf(0.975, row.size - 1) * row.std(ddof=1) / np.sqrt(row.size)
        return Estimate(row.mean(), row.mean() - half, row.mean() + half)

    gaps = [interval(a).minus(interval(b)) for a, b in zip(one, other, strict=True)]
    assert np.mean([gap.low <= 1 <= gap.high for gap in gaps]) == pytest.approx(0.95, abs=0.015)


def test_a_difference_from_a_point_of_unknown_error_is_unknown():
    gap = Estimate(1, 0.5, 1.5).minus(Estimate.unknown(0.25))
    assert gap.value == 0.75
    assert not gap.known


def test_intervals_of_different_confidence_have_no_difference():
    with pytest.raises(ValueError, match=r"other\.confidence=0\.9"):
        Estimate(1, 0, 2).minus(Estimate(1, 0, 2, 0.9))
