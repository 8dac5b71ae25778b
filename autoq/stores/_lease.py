"""A lease: the right of one process to change something, for as long as it lives.

Who takes a lease writes who it is where the others look. It gives a sign of life every few seconds. Whoever comes
second is refused while the first lives: on the same system that can be seen; of another host, the signs of life are
watched, and the lease is taken over when none came for a minute. So a clock that is wrong and a database that was away
take no lease from anybody. An owner looks before it writes whether the lease is still its own: one that was stopped
for longer, and has lost it, writes no more.
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
# A process of another host that gives no sign of life for so long has ended.
WATCH_S = 60.0
_LOOK_S = 0.5
# Who has just locked a file writes its name into it.
_WRITING_S = 2.0
_MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Taken:
    """What stands where a lease is written down.

    Attributes:
        text: Of the holder; empty where nothing can be read.
        sign: Its last sign of life: another one at every beat.
        locked: Whether the kernel says that the holder lives.
    """

    text: str
    sign: str = ""
    locked: bool = False


class Lease(Protocol):
    """A place where one process at a time is written down."""

    def take(self, holder: Holder, over: Taken | None) -> Taken | None:
        """Writes the holder down, where nobody is, or where it still is as `over` says.

        Returns:
            None where that was done, else what stands there.
        """

    def beat(self, holder: Holder) -> None:
        """Gives a sign of life."""

    def said(self) -> str | None:
        """Text of the holder that stands there; None where nothing does."""

    def free(self, holder: Holder) -> None:
        """Takes the holder off."""


@contextmanager
def leased(lease: Lease, what: str, advice: str) -> Iterator[Callable[[], None]]:
    """Holds a lease.

    Args:
        lease: Where it is written down.
        what: What it is of, for people.
        advice: What to do where another process holds it.

    Yields:
        To be called before anything is changed: raises a `BusyError` where another process has taken the lease over.

    Raises:
        BusyError: Another process holds it.
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
            msg = f"{what} was taken over by {other.name}, while this process gave no sign of life; it changes no more."
            raise BusyError(msg)

    def beat() -> None:
        while not ended.wait(BEAT_S):
            with suppress(Exception):  # a database that is away is there at the next one
                lease.beat(holder)

    thread = threading.Thread(target=beat, name="autoq lease", daemon=True)
    thread.start()
    try:
        yield check
    finally:
        ended.set()
        thread.join()
        with suppress(Exception):  # what is left behind of a process that ended is taken over
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

    The kernel tells at once whether a holder on the same system lives. Where locks do not reach from host to host, the
    signs of life do.

    Args:
        path: Of the file, which is there while somebody holds the lease.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def take(self, holder: Holder, over: Taken | None) -> Taken | None:
        """As `Lease` has it."""
        if self._descriptor is not None:
            # Its file was removed.
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
        """As `Lease` has it."""
        if self._descriptor is not None:
            os.utime(self._descriptor)

    def said(self) -> str | None:
        """As `Lease` has it."""
        if self._descriptor is None or not is_at(self._descriptor, self._path):
            return None
        return os.pread(self._descriptor, _MOST_BYTES, 0).decode(errors="replace")

    def free(self, holder: Holder) -> None:
        """As `Lease` has it."""
        if self._descriptor is not None:
            unlocked(self._descriptor, self._path)
            self._descriptor = None

    def _read(self) -> Taken | None:
        """What stands in the file; None where nothing does."""
        try:
            text = self._path.read_bytes()[:_MOST_BYTES].decode(errors="replace")
            return Taken(text, str(self._path.stat().st_mtime_ns)) if text else None
        except OSError:
            return None
