"""Output for people: a terminal that can be drawn on, or a log that gets plain lines."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

from rich.console import Console

# A log has no width of its own.
_LOG_WIDTH = 150
# Characters that move the cursor, ring a bell or break a line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.")


def console_of(file: TextIO | None = None) -> Console:
    """A console on a stream, by default on standard error, so that standard output stays clean.

    A terminal that can be drawn on is drawn on; every other stream gets plain lines. Environment variables that ask for
    colours do not change that.
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
    """Whether a stream is a terminal whose lines can be redrawn."""
    try:
        return file.isatty() and os.environ.get("TERM", "").lower() not in {"dumb", "unknown"}
    except (AttributeError, ValueError):  # ValueError: the stream is closed
        return False


def plain(text: str, console: Console) -> str:
    """A text as one line in a console's encoding: names and messages may have any characters."""
    text = _CONTROL.sub(" ", _ESCAPES.sub("", text))
    return text.encode(console.encoding, "backslashreplace").decode(console.encoding)
