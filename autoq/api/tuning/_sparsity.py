"""The `sparsity` of a training, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from autoq.core import ConfigError, Sparsity, SparsitySchedule, SparsityScheme, is_number, known_keys, quoted

_WORD = TypeVar("_WORD", SparsityScheme, SparsitySchedule)

_KEYS = ("ratio", "scheme", "schedule", "grows", "levels")
_OVER = "over"
_FORMS = (
    "a share of zeros below 1, text such as 'local 0.5', 'global 0.8 exponential over 0.6' or '2:4', or a dictionary "
    f"with the keys {', '.join(_KEYS)}"
)


def sparsity_of(value: object) -> Sparsity:
    """The zeros that are wanted, as a user writes them.

    Args:
        value: 0.5; "0.5", "local 0.5", "local 0.5 linear", "local 0.5 linear over 0.7", "local 0.3,0.6,0.8", "2:4"; or
            a mapping with the keys `ratio`, `scheme`, `schedule`, `grows` and `levels`.

    Raises:
        ConfigError: It has another form, a word is unknown, or a number makes no sense.
    """
    if isinstance(value, Mapping):
        given: Mapping[str, Any] = known_keys(value, _KEYS, "sparsity", ConfigError)
    elif isinstance(value, str):
        given = _of_text(value)
    elif is_number(value):
        given = {"ratio": value}
    else:
        raise _malformed(value)
    scheme = _word(SparsityScheme, "scheme", given.get("scheme", SparsityScheme.GLOBAL))
    if scheme is SparsityScheme.TWO_OF_FOUR:
        return _two_of_four(given)
    schedule = _word(SparsitySchedule, "schedule", given.get("schedule", SparsitySchedule.CUBIC))
    levels = _levels(given, schedule)
    ratio = given.get("ratio", levels[-1] if levels else None)
    if ratio is None:
        msg = f"sparsity has no ratio: it must be {_FORMS}."
        raise ConfigError(msg)
    if not is_number(ratio) or not 0 <= ratio < 1:
        msg = f"sparsity ratio is {quoted(ratio)}: it must be a share of zeros of at least 0, and below 1."
        raise ConfigError(msg)
    if levels and levels[-1] != ratio:
        msg = f"sparsity levels end with {levels[-1]:g}, and its ratio is {ratio:g}: the last level must be the ratio."
        raise ConfigError(msg)
    if "grows" not in given:
        return Sparsity(scheme, float(ratio), schedule, levels=levels)
    return Sparsity(scheme, float(ratio), schedule, _grows(given["grows"], schedule), levels)


def _of_text(text: str) -> dict[str, Any]:
    """The keys of a text: scheme, ratio or levels, schedule, and "over" with a share, in any order, each once."""
    schemes, schedules = set(map(str, SparsityScheme)), set(map(str, SparsitySchedule))
    found: dict[str, Any] = {}
    places = iter(text.lower().replace(str(SparsitySchedule.AT_ONCE), "at_once").split())
    for word in places:
        key = "ratio"
        value: object = _number(word)
        spelled = word.replace("_", " ")
        if word in schemes:
            key, value = "scheme", word
        elif spelled in schedules:
            key, value = "schedule", spelled
        elif "," in word:
            key, value = "levels", _numbers(word)
        elif word == _OVER:
            key, value = "grows", _number(next(places, ""))
        if value is None or key in found:
            raise _malformed(text)
        found[key] = value
    if "levels" in found:
        found.setdefault("schedule", str(SparsitySchedule.STEPS))
    elif "ratio" not in found and found.get("scheme") != str(SparsityScheme.TWO_OF_FOUR):
        raise _malformed(text)
    return found


def _two_of_four(given: Mapping[str, Any]) -> Sparsity:
    """Half of the weights, at once: nothing else can be said of it."""
    for key in ("schedule", "grows", "levels"):
        if key in given:
            msg = f"sparsity has {key}, and the scheme 2:4, which makes its zeros at once: leave {key} out."
            raise ConfigError(msg)
    if given.get("ratio", 0.5) != 0.5:
        msg = f"sparsity ratio is {quoted(given['ratio'])}, and the scheme 2:4: half of its weights are zero."
        raise ConfigError(msg)
    return Sparsity(SparsityScheme.TWO_OF_FOUR, 0.5, SparsitySchedule.AT_ONCE)


def _word(kind: type[_WORD], name: str, value: object) -> _WORD:
    words = {str(word): word for word in kind}
    if not isinstance(value, str) or value.lower() not in words:
        msg = f"sparsity {name} is {quoted(value)}: it must be one of {', '.join(map(repr, words))}."
        raise ConfigError(msg)
    return words[value.lower()]


def _levels(given: Mapping[str, Any], schedule: SparsitySchedule) -> tuple[float, ...]:
    if "levels" not in given:
        return ()
    if schedule is not SparsitySchedule.STEPS:
        msg = f"sparsity has levels, and the schedule {str(schedule)!r}: they belong to 'steps'."
        raise ConfigError(msg)
    values = given["levels"]
    levels = tuple(values) if isinstance(values, Sequence) and not isinstance(values, str) else ()
    if not levels or not all(is_number(level) and 0 <= level < 1 for level in levels) or sorted(levels) != list(levels):
        msg = (
            f"sparsity levels are {quoted(values)}: they must be shares of zeros below 1 that rise, as [0.3, 0.6, 0.8]."
        )
        raise ConfigError(msg)
    return tuple(map(float, levels))


def _grows(value: object, schedule: SparsitySchedule) -> float:
    if schedule is SparsitySchedule.AT_ONCE:
        msg = f"sparsity grows over {quoted(value)}, and its schedule is 'at once': leave one of them out."
        raise ConfigError(msg)
    if not is_number(value) or not 0 < float(value) <= 1:  # type: ignore[arg-type]
        msg = f"sparsity grows over {quoted(value)}: it must be a share of the training above 0, and at most 1."
        raise ConfigError(msg)
    return float(value)  # type: ignore[arg-type]


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _numbers(words: str) -> list[float] | None:
    numbers = [_number(word) for word in words.split(",")]
    found = [number for number in numbers if number is not None]
    return found if len(found) == len(numbers) else None


def _malformed(value: object) -> ConfigError:
    return ConfigError(f"sparsity is {quoted(value)}: it must be {_FORMS}.")
