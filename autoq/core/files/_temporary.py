"""Temporary folders. Those of killed processes are removed when the same user's next process starts.

They lie in one folder of the user, inside the system's temporary folder. Each has a lock that ends with its process.
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
# Inside a folder: autoq's own files, and files of libraries that run meanwhile.
_OWN, _LIBRARIES = "own", "libraries"
_swept: set[Path] = set()


@contextmanager
def temporary_folder(*, libraries: bool = False) -> Iterator[Path]:
    """A folder that is removed at the end of the context, or at a later start if the process is killed before.

    Args:
        libraries: Whether Python's temporary files are also made in it, since some libraries leave theirs behind. Other
            threads may make such files too: if one is left at the end, the folder stays until the process ends.

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
    """Removes the folders of the user's killed processes, and gives their number."""
    return sweep(_place())


def _place() -> Path:
    return Path(tempfile.gettempdir()) / f"autoq-{os.getuid()}"


def _home() -> Path:
    """The user's folder, to which nobody else may write. It is swept at the first use in this process."""
    home = _place()
    if home not in _swept:
        _swept.add(home)
        sweep(home)
    home.mkdir(mode=0o700, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.getuid():
        msg = f"{str(home)!r}, where temporary files go, belongs to another user; set TMPDIR to another folder."
        raise OutputError(msg)
    return home
