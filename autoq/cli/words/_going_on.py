"""The command that goes on with a stopped search."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from autoq.core import without_passwords


def command_line() -> str:
    """The running command as a person types it into a shell, without the passwords of URLs."""
    entry, *words = sys.argv
    name = Path(entry).name
    if name == "autoq" and (found := shutil.which(name)) is not None and Path(found).resolve() == Path(entry).resolve():
        return without_passwords(shlex.join([name, *words]))
    return without_passwords(shlex.join(sys.orig_argv))


def go_on_sentence() -> str:
    """A sentence with the command that goes on with the search."""
    return f"Go on with: {command_line()}"
