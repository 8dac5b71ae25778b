"""Values from outside in error messages: on one line and of bounded length, whatever they are."""

from __future__ import annotations

import re

from autoq.core.words._urls import without_passwords

_LONGEST_VALUE = 200
_LONGEST_MESSAGE = 2_000
_GAP = " ... "
# Characters that move a terminal's cursor or end a line, and halves of characters, which no terminal can print.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def quoted(value: object) -> str:
    """A value as Python writes it, with the middle of a long one cut; its type if Python cannot write it.

    Returns:
        At most 200 printable characters, without passwords of URLs.
    """
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  # a stranger's object may raise anything; numbers of many digits and deep lists do
        text = f"a {type(value).__name__}"
    return _cut(printable(without_passwords(text)), _LONGEST_VALUE)


def message(text: str) -> str:
    """The message of an error as one printable line, without passwords of URLs."""
    return _cut(printable(without_passwords(text)), _LONGEST_MESSAGE)


def printable(text: str) -> str:
    """A text whose line breaks, control characters and halves of characters are written as Python does."""
    return _UNPRINTABLE.sub(lambda found: repr(found.group())[1:-1], text)


def capitalized(text: str) -> str:
    """A clause as a sentence: its first letter becomes upper case, and the rest stays."""
    return text[:1].upper() + text[1:]


def counted(count: int, noun: str) -> str:
    """How many there are: "1 sample", "12 samples"."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _cut(text: str, longest: int) -> str:
    half = (longest - len(_GAP)) // 2
    return text if len(text) <= longest else text[:half] + _GAP + text[-half:]
