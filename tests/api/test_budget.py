"""Limits as users write them."""

import pytest

from autoq.api.measuring._budget import latency_amount, size_amount
from autoq.core import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"), [(5, 5), (0.8, 0.8), ("5", 5), ("5ms", 5), ("0.8 ms", 0.8), ("1e-1 MS", 0.1), ("50%", 10)]
)
def test_latencies(text, expected):
    assert latency_amount(text).of(20.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (1500, 1500),
        ("1_500", 1500),
        ("12 B", 12),
        ("500 kB", 500_000),
        ("2MB", 2_000_000),
        ("1.5 gb", 1_500_000_000),
        ("2 MiB", 2 * 2**20),
        ("25%", 250),
    ],
)
def test_sizes(text, expected):
    assert size_amount(text).of(1000.0) == pytest.approx(expected)


def test_none_is_no_limit():
    assert latency_amount(None) is size_amount(None) is None


@pytest.mark.parametrize("text", ["fast", "5 s", "5 MB", "", "ms", "5 5", "1..5", "nan", True])
def test_latencies_that_are_none(text):
    with pytest.raises(
        ConfigError, match=r"max_latency is .*: write a number of ms, such as 5 or '0.8 ms', or a percent"
    ):
        latency_amount(text)


@pytest.mark.parametrize("text", ["small", "5 ms", "5 MX", "%"])
def test_sizes_that_are_none(text):
    with pytest.raises(ConfigError, match=r"max_size is .*: write a number of bytes, or with a unit as '500 kB'"):
        size_amount(text)


@pytest.mark.parametrize("text", [0, -5, "-5 ms", "0%"])
def test_limits_are_above_0(text):
    with pytest.raises(ConfigError, match=r"max_latency is .*: it must be above 0"):
        latency_amount(text)


def test_what_a_study_keeps_of_them():
    assert [str(latency_amount(text)) for text in (5, "5 ms", "50 %", "0.5%")] == ["5", "5", "50%", "0.5%"]
