"""What a person types to go on with a command that was stopped."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from autoq.core import without_passwords


def command_line() -> str:
    """The command that runs, as one types it into a shell; passwords of URLs are left to be filled in."""
    entry, *words = sys.argv
    name = Path(entry).name
    if name == "autoq" and (found := shutil.which(name)) is not None and Path(found).resolve() == Path(entry).resolve():
        return without_passwords(shlex.join([name, *words]))
    return without_passwords(shlex.join(sys.orig_argv))


def go_on_sentence() -> str:
    """Says what goes on from where a search was stopped."""
    return f"Go on with: {command_line()}"
