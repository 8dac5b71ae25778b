"""Values that strangers gave, as an error message shows them: on one line, of bounded length, whatever they are."""

from __future__ import annotations

import re

from autoq.core.words._urls import without_passwords

_LONGEST_VALUE = 200
_LONGEST_MESSAGE = 2_000
_GAP = " ... "
# What moves a terminal's cursor or ends a line, and halves of characters, which no terminal can print.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def quoted(value: object) -> str:
    """A value as Python writes it, cut in its middle where it is long; what cannot be written so is named by its type.

    Returns:
        At most 200 characters, each of which can be printed; none of the password of a URL.
    """
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  # a stranger's object may raise anything; numbers of many digits and deep lists do
        text = f"a {type(value).__name__}"
    return _cut(printable(without_passwords(text)), _LONGEST_VALUE)


def message(text: str) -> str:
    """An error's message: one line that can be printed and read, whatever stands in it, and without URLs' passwords."""
    return _cut(printable(without_passwords(text)), _LONGEST_MESSAGE)


def printable(text: str) -> str:
    """A text without line breaks, control characters and halves of characters, which are written as Python does."""
    return _UNPRINTABLE.sub(lambda found: repr(found.group())[1:-1], text)


def capitalized(text: str) -> str:
    """A text with its first letter in upper case and the rest as it is: a clause that becomes a sentence."""
    return text[:1].upper() + text[1:]


def _cut(text: str, longest: int) -> str:
    half = (longest - len(_GAP)) // 2
    return text if len(text) <= longest else text[:half] + _GAP + text[-half:]
