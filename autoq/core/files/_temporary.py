"""Temporary folders: what a killed process left in one is removed at the next start, by the same user's next process.

They stand in one folder of the user's under the system's temporary one, each under a lock that ends with its process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autoq.core.files._writing import locked_folder, sweep
from autoq.core.words import OutputError

_NAME = "work"
# Within a folder: what is ours, and what libraries make that are run meanwhile.
_OWN, _LIBRARIES = "own", "libraries"
_swept: set[Path] = set()


@contextmanager
def temporary_folder(*, libraries: bool = False) -> Iterator[Path]:
    """A folder that is removed at the end, or at the next start where the process is killed before.

    Args:
        libraries: Python's temporary files are made in it too meanwhile, those of libraries which would leave them
            behind. Other threads may make some: where one is left at the end, it stays until the process ends.

    Yields:
        A new, empty folder.

    Raises:
        OutputError: The folder for temporary files is not the user's.
    """
    folder, descriptor = locked_folder(_home() / _NAME)
    (own := folder / _OWN).mkdir()
    (others := folder / _LIBRARIES).mkdir()
    before = tempfile.tempdir
    try:
        if libraries:
            tempfile.tempdir = str(others)
        yield own
    finally:
        if libraries:
            tempfile.tempdir = before
        shutil.rmtree(own, ignore_errors=True)
        with suppress(OSError):
            others.rmdir()
            folder.rmdir()
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def sweep_temporary() -> int:
    """Removes what killed processes of the user left, and tells how many folders that were."""
    return sweep(_place())


def _place() -> Path:
    return Path(tempfile.gettempdir()) / f"autoq-{os.getuid()}"


def _home() -> Path:
    """The user's folder, which nobody else may write to; swept when this process first comes to it."""
    home = _place()
    if home not in _swept:
        _swept.add(home)
        sweep(home)
    home.mkdir(mode=0o700, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.getuid():
        msg = f"{str(home)!r}, where temporary files go, belongs to another user; set TMPDIR to another folder."
        raise OutputError(msg)
    return home
