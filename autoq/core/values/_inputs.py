"""Outputs never replace inputs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from autoq.core.words import OutputError


def check_not_inputs(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Checks, before any work, that no input file would be written over.

    Files are compared, not names: another spelling, a symbolic link or a hard link is the same file.

    Args:
        outputs: Files that will be written, and folders that will be replaced with all that they hold.
        inputs: Files that are read.

    Raises:
        OutputError: One of the outputs is one of the inputs, or a folder that holds one.
    """
    there = {key: output for output in outputs if (key := _identity(output)) is not None}
    if not there:
        return
    folders = {Path(os.path.realpath(output)): output for output in there.values() if output.is_dir()}
    for source in inputs:
        key = _identity(source)
        if key is None:
            continue
        if (output := there.get(key)) is not None:
            same = "is read" if output == source else f"is the same file as {str(source)!r}, which is read"
            msg = f"{str(output)!r} {same} and would be written over; name another path to write to."
            raise OutputError(msg)
        for above in Path(os.path.realpath(source)).parents if folders else ():
            if (output := folders.get(above)) is not None:
                msg = f"{str(output)!r} holds {str(source)!r}, which is read and would be written over; name another."
                raise OutputError(msg)


def _identity(path: Path) -> tuple[int, int] | None:
    """The system's identity of a file; None if there is no such file, or the name is impossible."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
