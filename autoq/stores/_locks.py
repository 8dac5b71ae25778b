"""Locks on files. The kernel frees a lock when its process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOOK_S = 0.05
# Descriptors of this process's locks. A forked child inherits them, and would hold a lock longer than its parent.
_held: set[int] = set()


def locked_file(path: Path) -> int | None:
    """Locks a file, and makes it where it is missing.

    Returns:
        A descriptor for `unlocked`; None where another process, or another part of this one, holds the lock.

    Raises:
        OSError: The file cannot be opened, or its file system has no locks.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        if is_at(descriptor, path):
            _held.add(descriptor)
            return descriptor
        # Its last holder removed it between the opening and the lock.
        os.close(descriptor)


def unlocked(descriptor: int, path: Path) -> None:
    """Frees a lock and removes its file."""
    with suppress(OSError):
        # The file is removed under the lock: a process that waits for the lock notices, and makes a new file.
        if is_at(descriptor, path):
            path.unlink()
    let_go(descriptor)


def let_go(descriptor: int) -> None:
    """Frees a lock, and keeps its file."""
    _held.discard(descriptor)
    with suppress(OSError):
        # A child that was forked without Python has the descriptor too: closing it here alone would not free the lock.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def is_at(descriptor: int, path: Path) -> bool:
    """Whether a path still names an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def locked(path: Path, *, wait_s: float) -> Iterator[None]:
    """Holds a lock; waits for other processes that hold it.

    Args:
        path: Path of the lock's file, which is removed at the end.
        wait_s: Most seconds to wait.

    Raises:
        TimeoutError: Another process held the lock for that time.
        OSError: The file cannot be opened, or its file system has no locks.
    """
    until = time.monotonic() + wait_s
    while (descriptor := locked_file(path)) is None:
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(_LOOK_S)
    try:
        yield
    finally:
        unlocked(descriptor, path)


def _close_in_child() -> None:
    while _held:
        with suppress(OSError):
            os.close(_held.pop())


os.register_at_fork(after_in_child=_close_in_child)
