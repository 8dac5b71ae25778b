import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autoq.core import Estimate, StoredFileError


def test_below_needs_disjoint_intervals():
    assert Estimate(1, 0.9, 1.1).below(Estimate(2, 1.2, 2.5))
    assert not Estimate(1, 0.9, 1.3).below(Estimate(2, 1.2, 2.5))
    assert not Estimate(1, 0.9, 1.2).below(Estimate(2, 1.2, 2.5))


@pytest.mark.parametrize(
    ("estimate", "given", "expected"),
    [
        (Estimate(0.5, 0.25, 1), {}, "0.5000 [0.2500, 1.0000]"),
        (Estimate(1.95, 1.93, 1.97), {"least": 2}, "1.95 [1.93, 1.97]"),
        (Estimate(1.003, 0.998, 1.008), {"least": 2}, "1.003 [0.998, 1.008]"),
        (Estimate(3e-5, 2.7e-5, 3.3e-5), {}, "0.000030 [0.000027, 0.000033]"),
        (Estimate(3e-5, -0.004, 0.004), {"sign": True}, "+0.0000 [-0.0040, +0.0040]"),
        (Estimate(0.01004, -0.1, 0.2), {"beside": 0.01}, "0.01004 [-0.10000, 0.20000]"),
        (Estimate(0.1 + 1e-16, 0, 0.2), {"beside": 0.1}, "0.1000 [0.0000, 0.2000]"),
        (Estimate(31.52, 31.4, 31.6), {}, "31.520 [31.400, 31.600]"),
        (Estimate(1234567, 1234000, 1235000), {}, "1234567 [1234000, 1235000]"),
        (Estimate(3e-14, 1e-14, 5e-14), {}, "3.00e-14 [1.00e-14, 5.00e-14]"),
        (Estimate(0.25, 0.25, 0.25), {"sign": True}, "+0.2500"),
        (Estimate(0, 0, 0), {}, "0.0000"),
        (Estimate.unknown(3e-5), {}, "0.000030 (interval unknown)"),
    ],
)
def test_a_number_is_shown_with_the_digits_that_its_interval_needs(estimate, given, expected):
    assert estimate.shown(**given) == expected


@given(st.floats(-1e6, 1e6), st.floats(1e-9, 1e6), st.floats(1e-9, 1e6))
def test_what_is_shown_tells_the_ends_of_an_interval_apart(value, below, above):
    shown = Estimate(value, value - below, value + above).shown().replace("[", "").replace("]", "").replace(",", "")
    numbers = [float(number) for number in shown.split()]
    if abs(value) < 1e4 * (below + above):  # else the point is all there is to see in six digits
        assert numbers[1] < numbers[2]
    np.testing.assert_allclose(
        numbers, [value, value - below, value + above], atol=(below + above) / 4 + 1e-9, rtol=1e-2
    )


def test_an_interval_that_is_unknown_is_null_in_json():
    for estimate in (Estimate.unknown(0.25), Estimate(0.5, 0.25, 1.0, 0.9)):
        text = json.dumps(estimate.to_dict(), allow_nan=False)
        assert Estimate.from_dict(json.loads(text)) == estimate
    assert Estimate.unknown(0.25).to_dict()["low"] is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"value": 1, "low": 0}, "an estimate lacks 'high'"),
        ({"value": 1, "low": 2, "high": 3}, "an estimate must lie within its interval"),
        ({"value": None, "low": None, "high": None}, "an estimate: value is None"),
        ([1, 0, 2], "an estimate must be a mapping"),
    ],
)
def test_what_is_no_estimate_in_a_file_is_named(values, message):
    with pytest.raises(StoredFileError, match=message):
        Estimate.from_dict(values)


def test_a_point_outside_its_interval_is_refused():
    with pytest.raises(ValueError, match=r"self\.low=2"):
        Estimate(1, 2, 3)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
def test_the_sd_is_that_of_a_normal_distribution_with_this_interval(confidence):
    low, high = stats.norm.interval(confidence, 5, 0.25)
    assert Estimate(5, low, high, confidence).sd == pytest.approx(0.25)
    assert Estimate(5, 5, 5, confidence).sd == 0


def test_a_point_of_unknown_error():
    unknown = Estimate.unknown(0.5)
    assert not unknown.known
    assert not Estimate(1, 0.9, np.inf).known
    assert not Estimate(1, -np.inf, 1.1).known
    assert Estimate(1, 0.9, 1.1).known
    assert unknown.sd == np.inf
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
