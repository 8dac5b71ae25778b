"""Digits that show a number, whatever its unit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoq.core import shown, shown_ms
from autoq.core.words import gap, number_format


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


@pytest.mark.parametrize(
    ("largest", "finest", "given", "expected"),
    [
        (0.5, math.inf, {}, ".4f"),
        (0.5, math.inf, {"sign": True}, "+.4f"),
        (5.0, math.inf, {}, ".4f"),
        (10.0, math.inf, {}, ".3f"),
        (99_999.0, math.inf, {}, ".0f"),
        (1e6, math.inf, {}, ".0f"),
        (0.5, 0.002, {"least": 1}, ".3f"),
        (0.5, 0.0019, {"least": 1}, ".4f"),
        (0.5, 2e-9, {}, ".9f"),
        (0.5, 1.9e-9, {}, ".9e"),
        (5e-11, 2e-11, {}, ".2e"),
        (5e-11, 2e-14, {"sign": True}, "+.3e"),
        (9.99e8, 1.0, {}, ".1f"),
        (1e9, 1.0, {}, ".9e"),
        (1e9, 2e6, {}, ".3e"),
        (0.0, math.inf, {}, ".4f"),
        (math.inf, 2.0, {}, ".2e"),
    ],
)
def test_table_of_formats(largest, finest, given, expected):
    assert number_format(largest, finest, **given) == expected


def test_a_gap_is_seen_but_for_rounding():
    assert gap(1.0, None) == gap(1.0, 1.0) == gap(1.0, 1 + 1e-7) == math.inf
    assert gap(1.0, 1.5) == gap(1.5, 1.0) == 0.5
    assert gap(1.0, 1 + 1e-5) == pytest.approx(1e-5)


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
