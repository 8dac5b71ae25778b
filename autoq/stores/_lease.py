"""A lease: the right of one process to change something while the process runs.

The holder writes its name where other processes look, and a sign of life every few seconds. A second process is refused
while the holder runs. On the same system that can be seen. On another host, the second process watches the signs of
life, and takes the lease over after a minute without one. So a wrong clock or an unreachable database takes the lease
from nobody. A holder checks before each write that the lease is still its own. A holder that was stopped for longer,
and has lost the lease, writes no more.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from autoq.core import BusyError
from autoq.stores._holder import Holder
from autoq.stores._locks import is_at, let_go, locked_file, unlocked

BEAT_S = 5.0
# A process of another host counts as ended after this time without a sign of life.
WATCH_S = 60.0
_LOOK_S = 0.5
# A process that has locked a file writes its name into the file within this time.
_WRITING_S = 2.0
_MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Taken:
    """The entry of a lease that is held.

    Attributes:
        text: Text of the holder; empty where it cannot be read.
        sign: The last sign of life; it changes at every beat.
        locked: Whether the kernel says that the holder is running.
    """

    text: str
    sign: str = ""
    locked: bool = False


class Lease(Protocol):
    """A place with an entry for one process at a time."""

    def take(self, holder: Holder, over: Taken | None) -> Taken | None:
        """Enters the holder where there is no entry, or where the entry is still `over`.

        Returns:
            None where the holder was entered; otherwise the entry that is there.
        """

    def beat(self, holder: Holder) -> None:
        """Gives a sign of life."""

    def said(self) -> str | None:
        """Text of the holder in the entry; None without an entry."""

    def free(self, holder: Holder) -> None:
        """Removes the entry of the holder."""


@contextmanager
def leased(lease: Lease, what: str, advice: str) -> Iterator[Callable[[], None]]:
    """Holds a lease.

    Args:
        lease: The place of its entry.
        what: Name of the leased thing, for people.
        advice: What to do where another process holds the lease.

    Yields:
        A function to call before each change. It raises a `BusyError` where another process has taken the lease over.

    Raises:
        BusyError: Another process holds the lease.
    """
    holder = Holder.this()
    _take(lease, holder, what, advice)
    holder.hold()
    ended = threading.Event()

    def check() -> None:
        text = lease.said()
        if text is None and (taken := lease.take(holder, None)) is not None:
            text = taken.text
        other = None if text is None else Holder.read(text)
        if other is not None and other.token != holder.token:
            msg = f"{what} was taken over by {other.name}: this process gave no sign of life, and changes nothing more."
            raise BusyError(msg)

    def beat() -> None:
        while not ended.wait(BEAT_S):
            with suppress(Exception):  # an unreachable database gets the next sign of life
                lease.beat(holder)

    thread = threading.Thread(target=beat, name="autoq lease", daemon=True)
    thread.start()
    try:
        yield check
    finally:
        ended.set()
        thread.join()
        with suppress(Exception):  # the entry of a process that has ended is taken over
            lease.free(holder)
        holder.free()


def _take(lease: Lease, holder: Holder, what: str, advice: str) -> None:
    over: Taken | None = None
    last: Taken | None = None
    since = time.monotonic()
    while (taken := lease.take(holder, over)) is not None:
        other = Holder.read(taken.text)
        lives = taken.locked or (None if other is None else other.lives)
        watched_s = time.monotonic() - since
        if last is not None and taken != last and other is not None:
            lives = True
        if lives and (other is not None or watched_s > _WRITING_S):
            msg = f"{what} is at work in {'another process' if other is None else other.name}; {advice}."
            raise BusyError(msg)
        if lives is False or watched_s > WATCH_S:
            over = taken
        else:
            last = taken
            time.sleep(_LOOK_S)


class FileLease:
    """A lease in a file that its holder has locked.

    The kernel tells at once whether a holder on the same system is running. Signs of life tell it between hosts that do
    not share locks.

    Args:
        path: Path of the file. It exists while a process holds the lease.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self, holder: Holder, over: Taken | None) -> Taken | None:
        """See `Lease`."""
        if self._descriptor is not None:
            # The file was removed.
            let_go(self._descriptor)
            self._descriptor = None
        descriptor = locked_file(self._path)
        if descriptor is None:
            return replace(self._read() or Taken(""), locked=True)
        taken = self._read()
        if taken is not None and taken != over:
            let_go(descriptor)
            return taken
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.text.encode(), 0)
        self._descriptor = descriptor
        return None

    def beat(self, holder: Holder) -> None:
        """See `Lease`."""
        if self._descriptor is not None:
            os.utime(self._descriptor)

    def said(self) -> str | None:
        """See `Lease`."""
        if self._descriptor is None or not is_at(self._descriptor, self._path):
            return None
        return os.pread(self._descriptor, _MOST_BYTES, 0).decode(errors="replace")

    def free(self, holder: Holder) -> None:
        """See `Lease`."""
        if self._descriptor is not None:
            unlocked(self._descriptor, self._path)
            self._descriptor = None

    def _read(self) -> Taken | None:
        """The entry in the file; None without one."""
        try:
            text = self._path.read_bytes()[:_MOST_BYTES].decode(errors="replace")
            return Taken(text, str(self._path.stat().st_mtime_ns)) if text else None
        except OSError:
            return None
