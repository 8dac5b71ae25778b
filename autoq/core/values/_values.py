"""Plain values of a user or a file: mappings with known keys, numbers within bounds, JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from autoq.core.words import AutoqError, ConfigError, PlanError, nearest, quoted

# Deepest nesting of values; no file and no user needs more.
DEEPEST = 64
_HOLDERS = (dict, list, tuple)
# Larger whole numbers fit no integer of numpy, of OpenVINO or of a database.
MOST_INT = 2**63 - 1


def known_keys(
    values: object, known: Iterable[str], noun: str, error: type[AutoqError] = PlanError
) -> Mapping[str, Any]:
    """Checks that values are a mapping with no other keys than these, and gives them back.

    Args:
        values: The given values.
        known: The allowed keys, each of which may be absent.
        noun: What it is called in errors.
        error: Kind of the error.

    Raises:
        AutoqError: Of the type `error`: the values are no mapping, or a key is unknown.
    """
    names = tuple(known)
    for key in mapping_of(values, noun, error):
        if key not in names:
            msg = f"{noun} key {quoted(key)} is unknown: {nearest(key, names)}"
            raise error(msg)
    return values  # type: ignore[return-value]  # what is none has raised


def mapping_of(values: object, noun: str, error: type[AutoqError] = PlanError) -> Mapping[Any, Any]:
    """Checks that values are a mapping without endless nesting, and gives them back.

    Raises:
        AutoqError: Of the type `error`: the values are no mapping, contain themselves, or are nested too deeply.
    """
    if not isinstance(values, Mapping):
        msg = f"{noun} must be a mapping of keys to values, got {quoted(values)}."
        raise error(msg)
    if is_deeper(values, DEEPEST):
        msg = f"{noun} must not be nested more than {DEEPEST} deep."
        raise error(msg)
    return values


def is_deeper(values: Iterable[Any], most: int) -> bool:
    """Whether more than so many mappings and lists are nested, or one contains itself."""
    level = [values]
    for _ in range(most):
        inside = (part.values() if hasattr(part, "values") else part for part in level)
        # Each container is visited once, even if several hold it.
        level = list({id(part): part for parts in inside for part in parts if isinstance(part, _HOLDERS)}.values())
        if not level:
            return False
    return True


def whole_number(value: object, noun: str, *, least: int, error: type[AutoqError] = PlanError) -> int:
    """Checks that a value is a whole number of at least `least`, and gives it back. True and false are no numbers.

    Raises:
        AutoqError: Of the type `error`: the value is no such number.
    """
    number = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else least - 1
    if not least <= number <= MOST_INT:
        msg = f"{noun} is {quoted(value)}: it must be a whole number of at least {least}."
        raise error(msg)
    return number


def is_number(value: object) -> bool:
    """Whether a value of any type is a number that a float can hold. True and false are no numbers."""
    try:
        return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def json_value(text: str | bytes, noun: str, error: type[AutoqError] = ConfigError) -> Any:  # any JSON value
    """The value of a text in JSON.

    Raises:
        AutoqError: Of the type `error`: the text is no JSON, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as fault:
        why = "it is nested too deeply" if isinstance(fault, RecursionError) else str(fault)
        msg = f"{noun} is no JSON: {why}."
        raise error(msg) from None
