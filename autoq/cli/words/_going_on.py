"""The command that goes on with what was stopped."""

from __future__ import annotations

import shlex
import shutil
import sys
from enum import Enum, auto
from pathlib import Path

from autoq.core import without_passwords


def command_line() -> str:
    """The running command as a person types it into a shell, without the passwords of URLs."""
    entry, *words = sys.argv
    name = Path(entry).name
    if name == "autoq" and (found := shutil.which(name)) is not None and Path(found).resolve() == Path(entry).resolve():
        return without_passwords(shlex.join([name, *words]))
    return without_passwords(shlex.join(sys.orig_argv))


class Keeping(Enum):
    """What a command does with what it has done when it is stopped."""

    NOTHING = auto()  # it is done again
    NOT_YET = auto()  # it will keep it; where is not known yet
    LOST = auto()  # it could keep it, and nobody said where
    KEPT = auto()


def go_on_sentence(keeping: Keeping, *, is_kept: bool) -> str | None:
    """A sentence with the command that goes on, or says that nothing was kept; None where nothing ever is.

    Args:
        keeping: What the command does.
        is_kept: Whether there is something by now.
    """
    again = f"Nothing was kept yet. Start again with: {command_line()}"
    match keeping:
        case Keeping.NOTHING:
            return None
        case Keeping.NOT_YET:
            return again
        case Keeping.LOST:
            return "Nothing was kept: --out names a folder that a search goes on in."
        case Keeping.KEPT:
            return f"Go on with: {command_line()}" if is_kept else again
