"""Accuracy budgets as a user writes them."""

from __future__ import annotations

import math

from autoq.core import ConfigError


def absolute_drop(max_drop: float | str | None, float_mean: float, *, relative: bool = False) -> float | None:
    """A budget in the metric's unit: a number as it is, "1%" as that share of the float model's score.

    Args:
        max_drop: The budget; None is none.
        float_mean: Mean score of the float model.
        relative: A number is a share of the float model's score too.

    Raises:
        ConfigError: It is negative, or neither a number nor a percentage.
    """
    if max_drop is None:
        return None
    text = str(max_drop).strip()
    percent = text.endswith("%")
    try:
        value = float(text[:-1]) / 100 if percent else float(text)
    except ValueError:
        msg = f"max_drop is {max_drop!r}: write a number in the metric's unit, such as 0.01, or a percentage as '1%'."
        raise ConfigError(msg) from None
    if not value >= 0 or not math.isfinite(value):
        msg = f"max_drop is {max_drop!r}: a drop must be at least 0."
        raise ConfigError(msg)
    return value * abs(float_mean) if percent or relative else value
