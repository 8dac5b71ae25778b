import pytest

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
