"""Limits as a user writes them: an accuracy drop, a latency, a size."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from autoq.core import ConfigError, is_number, quoted

_NUMBER = re.compile(r"([-+]?[\d._]+(?:e[-+]?\d+)?)\s*([a-z%]*)", re.IGNORECASE)
_MILLISECONDS = {"": 1.0, "ms": 1.0}
_BYTES = {"": 1.0, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30}


def absolute_drop(max_drop: float | str | None, float_mean: float, *, relative: bool = False) -> float | None:
    """An accuracy budget in the metric's unit: "1%" is that share of the size of the float model's score.

    Args:
        max_drop: The budget; None is no budget.
        float_mean: Mean score of the float model.
        relative: Whether a number is a share of the float model's score too.

    Raises:
        ConfigError: The budget is negative, neither a number nor a percentage, or a share of a score of 0.
    """
    if max_drop is None:
        return None
    text = _written(max_drop)
    percent = text.endswith("%")
    try:
        value = float(text[:-1]) / 100 if percent else float(text)
    except ValueError:
        valid = "write a number in the metric's unit, such as 0.01, or a percentage as '1%'."
        msg = f"max_drop is {quoted(max_drop)}: {valid}"
        raise ConfigError(msg) from None
    if not value >= 0 or not math.isfinite(value):
        msg = f"max_drop is {quoted(max_drop)}: a drop must be at least 0."
        raise ConfigError(msg)
    if not (percent or relative):
        return value
    if float_mean == 0:
        msg = (
            f"max_drop is {max_drop!r} of the float model's score, which is 0: write a drop in the metric's unit, "
            "such as 0.01, or check that the labels and the metric fit the model."
        )
        raise ConfigError(msg)
    return value * abs(float_mean)


@dataclass(frozen=True, slots=True)
class Amount:
    """A limit, absolute or relative to the float model.

    Attributes:
        value: The limit in ms or bytes, or as a share.
        is_share: Whether it is a share of the float model's value.
    """

    value: float
    is_share: bool

    def of(self, float_value: float) -> float:
        """The absolute limit for a value of the float model."""
        return self.value * float_value if self.is_share else self.value

    def __str__(self) -> str:
        return f"{100 * self.value:.12g}%" if self.is_share else f"{self.value:.12g}"


def latency_amount(max_latency: float | str | None) -> Amount | None:
    """A limit of latency: a number or "5 ms" in ms, "50%" as a share of the float model's; None is no limit.

    Raises:
        ConfigError: The limit is not above 0, or is written in another way.
    """
    return _amount("max_latency", max_latency, _MILLISECONDS, "ms, such as 5 or '0.8 ms'")


def size_amount(max_size: float | str | None) -> Amount | None:
    """A limit of size: a number in bytes, "2 MB", or "25%" as a share of the float model's; None is no limit.

    Units are B, kB, MB, GB of 1,000 each, and KiB, MiB, GiB of 1,024.

    Raises:
        ConfigError: The limit is not above 0, or is written in another way.
    """
    return _amount("max_size", max_size, _BYTES, "bytes, or with a unit as '500 kB', '2MB' or '2 MiB'")


def _amount(name: str, given: float | str | None, units: Mapping[str, float], valid: str) -> Amount | None:
    if given is None:
        return None
    found = _NUMBER.fullmatch(_written(given))
    unit = found.group(2).lower() if found else ""
    try:
        if found is None or unit not in {*units, "%"}:
            raise ValueError
        value = float(found.group(1)) * (0.01 if unit == "%" else units[unit])
    except ValueError:
        msg = f"{name} is {quoted(given)}: write a number of {valid}, or a percentage of the float model's as '50%'."
        raise ConfigError(msg) from None
    if not value > 0 or not math.isfinite(value):
        msg = f"{name} is {quoted(given)}: it must be above 0."
        raise ConfigError(msg)
    return Amount(value, unit == "%")


def _written(given: object) -> str:
    """A limit as a text; an empty one for values that are neither texts nor numbers."""
    return str(given).strip() if isinstance(given, str) or is_number(given) else ""
