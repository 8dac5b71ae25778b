"""Where a person is told something: a terminal that can be drawn on, or a log that gets lines and nothing else."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

from rich.console import Console

# A log has no width of its own.
_LOG_WIDTH = 150
# What moves a cursor, rings a bell or breaks a line in the midst of it.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")


def console_of(file: TextIO | None = None) -> Console:
    """A console on a stream, by default on standard error, so that standard output stays clean.

    What the stream is decides alone: a terminal that can be drawn on, or anything else, which gets plain lines.
    Variables of the environment that ask for colours do not make a terminal of a file.
    """
    file = sys.stderr if file is None else file
    if is_drawable(file):
        return Console(file=file, force_terminal=True, force_jupyter=False, legacy_windows=False)
    return Console(
        file=file,
        width=_LOG_WIDTH,
        force_terminal=False,
        force_jupyter=False,
        force_interactive=False,
        color_system=None,
        legacy_windows=False,
    )


def is_drawable(file: TextIO) -> bool:
    """Whether a stream is a terminal on which lines can be drawn again."""
    try:
        return file.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}
    except (AttributeError, ValueError):  # ValueError: it is closed
        return False


def plain(text: str, console: Console) -> str:
    """A text as one line of what a console's encoding has: names and messages come from anywhere."""
    text = _CONTROL.sub(" ", _ESCAPES.sub("", text))
    return text.encode(console.encoding, "backslashreplace").decode(console.encoding)
