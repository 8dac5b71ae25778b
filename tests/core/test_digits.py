"""Digits that show a number, whatever its unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoq.core import shown, shown_ms


@pytest.mark.parametrize(
    ("value", "given", "expected"),
    [
        (0.91853, {"significant": 4}, "0.9185"),
        (-3.2143e-5, {"significant": 4}, "-0.00003214"),
        (0, {}, "0.0000"),
        (3e-5, {}, "0.000030"),
        (0.010002, {"beside": 0.01}, "0.010002"),
        (0.01, {"beside": 0.01}, "0.0100"),
        (5.5, {"least": 2}, "5.50"),
        (1234.5, {"least": 2}, "1234"),
        (4e-20, {}, "4.00e-20"),
        (7e12, {}, "7.00e+12"),
    ],
)
def test_digits(value, given, expected):
    assert shown(value, **given) == expected


@given(st.floats(1e-30, 1e30), st.booleans())
def test_a_number_other_than_0_never_looks_like_0(value, negative):
    value = -value if negative else value
    assert float(shown(value)) == pytest.approx(value, rel=0.06)


@given(st.floats(1e-6, 10), st.floats(1e-5, 1))
def test_a_number_beyond_a_limit_looks_beyond_it(limit, share):
    beyond = limit * (1 + share)
    assert float(shown(beyond, beside=limit)) != float(shown(limit, beside=beyond))


def test_milliseconds_of_small_models():
    assert shown_ms(0.00312) == "0.00312 ms"
    assert shown_ms(12.345) == "12.3 ms"
