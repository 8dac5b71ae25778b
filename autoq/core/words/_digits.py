"""Numbers for people: as many digits as show them, in whatever unit."""

from __future__ import annotations

import math

# Beyond these, digits before or behind the point say less than an exponent.
_MOST_DECIMALS = 9
_LARGEST = 1e9
_SAME = 1e-6


def number_format(largest: float, finest: float, *, least: int = 4, sign: bool = False) -> str:
    """A format specification for numbers that are to be read beside each other.

    Decimals are as many that `finest` is two units of the last one or more, that the largest number has one significant
    digit more than `least`, and, below 1, no fewer than `least`.

    Args:
        largest: Absolute value of the largest number.
        finest: Difference that has to be seen, above 0; infinite where there is none.
        least: Decimals of numbers below 1.
        sign: Show a plus too.
    """
    usual = least - max(_exponent(largest), 0)
    needed = -_exponent(finest / 2)
    decimals = max(usual, needed, 0)
    plus = "+" if sign else ""
    if decimals > _MOST_DECIMALS or largest >= _LARGEST:
        return f"{plus}.{min(max(_exponent(largest) + needed, 2), _MOST_DECIMALS)}e"
    return f"{plus}.{decimals}f"


def shown(value: float, *, least: int = 4, significant: int = 2, beside: float | None = None) -> str:
    """A number with as many digits as show it.

    Args:
        value: The number.
        least: Decimals where it is below 1 and not small.
        significant: Digits that it has where it is small.
        beside: A number from which it has to be told, such as a limit that it crosses.
    """
    finest = min(2 * abs(value) / 10 ** (significant - 1) or math.inf, gap(value, beside))
    return f"{value:{number_format(abs(value), finest, least=least)}}"


def shown_ms(value: float) -> str:
    """Milliseconds with their unit, three digits of them at least."""
    return f"{shown(value, least=2, significant=3)} ms"


def gap(value: float, beside: float | None) -> float:
    """What has to be seen for two numbers to be told apart; infinite where they are equal but for rounding, or None."""
    if beside is None or math.isclose(value, beside, rel_tol=_SAME):
        return math.inf
    return abs(value - beside)


def _exponent(value: float) -> int:
    """Of ten, of the first significant digit; 0 of 0 and of what is infinite."""
    return math.floor(math.log10(value)) if 0 < value < math.inf else 0
