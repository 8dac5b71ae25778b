"""Numbers for people, with enough digits in any unit."""

from __future__ import annotations

import math

# With more digits before or after the point, an exponent is easier to read.
_MOST_DECIMALS = 9
_LARGEST = 1e9
_SAME = 1e-6


def number_format(largest: float, finest: float, *, least: int = 4, sign: bool = False) -> str:
    """A format specification for numbers that are shown beside each other.

    There are so many decimals that `finest` is at least two units of the last one, and that the largest number has one
    significant digit more than `least`; numbers below 1 have at least `least` decimals.

    Args:
        largest: Absolute value of the largest number.
        finest: Smallest difference that must be visible, above 0; infinite if there is none.
        least: Decimals of numbers below 1.
        sign: Whether a plus is shown too.
    """
    usual = least - max(_exponent(largest), 0)
    needed = -_exponent(finest / 2)
    decimals = max(usual, needed, 0)
    plus = "+" if sign else ""
    if decimals > _MOST_DECIMALS or largest >= _LARGEST:
        return f"{plus}.{min(max(_exponent(largest) + needed, 2), _MOST_DECIMALS)}e"
    return f"{plus}.{decimals}f"


def shown(value: float, *, least: int = 4, significant: int = 2, beside: float | None = None) -> str:
    """A number with enough digits.

    Args:
        value: The number.
        least: Decimals if it is below 1 and not small.
        significant: Significant digits if it is small.
        beside: A number that must look different, such as a limit that it crosses.
    """
    finest = min(2 * abs(value) / 10 ** (significant - 1) or math.inf, gap(value, beside))
    return f"{value:{number_format(abs(value), finest, least=least)}}"


def shown_ms(value: float) -> str:
    """Milliseconds with their unit, with at least three digits."""
    return f"{shown(value, least=2, significant=3)} ms"


def gap(value: float, beside: float | None) -> float:
    """The difference of two numbers that must be visible; infinite if they are equal except for rounding, or None."""
    if beside is None or math.isclose(value, beside, rel_tol=_SAME):
        return math.inf
    return abs(value - beside)


def _exponent(value: float) -> int:
    """Exponent (of ten) of the first significant digit; 0 for 0 and for infinity."""
    return math.floor(math.log10(value)) if 0 < value < math.inf else 0
