"""SQLite files that hold all tables of a program, or are not there: a half-made one is put aside and made anew.

A file is made under another name, and takes its place when it is complete, so that whatever ends this process leaves
none that is half made. Those that another program left so are found, and kept beside under a name of their own.
"""

from __future__ import annotations

import sqlite3
import time
import urllib.parse
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

import psutil

from autoq.core import BusyError, ConfigError, drafted_once, reason, sweep
from autoq.stores._locks import locked
from autoq.stores._patience import StoreWarning

_HEADER = b"SQLite format 3\0"
# What SQLite keeps beside a file while it is changed.
_BESIDE = ("-journal", "-wal", "-shm")
# How long others are waited for: who makes the file, and who has locked it.
_PATIENCE_S = 120.0
# A file that nobody has open and that has not changed for so long is not being made any more.
_STILL_S = 3.0
_LOOK_S = 0.1
_LOCK_WAIT_S = 5.0
_VERSIONS = "alembic_version"
# Names of tables in the middle of an upgrade.
_MOVING = "_alembic_tmp_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What a program keeps in a SQLite file.

    Attributes:
        program: Its name.
        tables: Names of its tables, all of which a complete file has.
        head: Alembic revision of a complete file.
        revisions: Those that the program knows.
        filled: Queries, each of which finds a row in a complete file.
        unmissed: By table, a query that leaves out the rows that nobody would miss.
        upgrade: How an older file is brought to this version.
        fill: Makes a complete file where there is none.
    """

    program: str
    tables: frozenset[str]
    head: str
    revisions: frozenset[str]
    filled: Sequence[str]
    unmissed: Mapping[str, str]
    upgrade: str
    fill: Callable[[Path], None]

    @property
    def worth(self) -> dict[str, str]:
        """By table, a query that finds what a person would miss."""
        return {table: f"SELECT 1 FROM {table} LIMIT 1" for table in self.tables} | dict(self.unmissed)  # noqa: S608


class _State(Enum):
    MISSING = auto()
    HALF_MADE = auto()
    COMPLETE = auto()


def ensure_complete(path: Path, tables: Tables, name: str) -> None:
    """Makes a SQLite file where it is missing or half made.

    Several processes may do so at once: one makes it, the others wait for it.

    Args:
        path: Of the file; its folder is there.
        tables: What it holds.
        name: Of the store, for people.

    Raises:
        ConfigError: It holds something else, or what another version of the program wrote; it is not touched.
        BusyError: Another process makes it, or has it locked, for too long.
        OutputError: It cannot be made there.
        OSError: Likewise.
    """
    until = time.monotonic() + _PATIENCE_S
    lock = path.with_name(f".{path.name}.lock")
    while _state(path, tables, name, until) is not _State.COMPLETE:
        try:
            with locked(lock, wait_s=_PATIENCE_S):
                _complete(path, tables, name, until)
        except TimeoutError:
            msg = f"{name} is being made by another process for more than {_PATIENCE_S:.0f} s; wait for it, or end it."
            raise BusyError(msg) from None
    # What is left of processes that were killed while they made it.
    sweep(path.parent, path.name)
    if lock.exists():
        with suppress(TimeoutError, OSError), locked(lock, wait_s=0):
            pass


def _complete(path: Path, tables: Tables, name: str, until: float) -> None:
    state = _state(path, tables, name, until)
    if state is _State.HALF_MADE and _is_abandoned(path, tables, name, until):
        kept = _put_aside(path)
        warnings.warn(
            f"{name} was half made by a process that was ended: it is kept as {kept.name!r}, and made anew.",
            StoreWarning,
            stacklevel=2,
        )
        state = _State.MISSING
    if state is _State.MISSING:
        # SQLite would take what is left of an earlier file for a part of the new one.
        if any(beside.exists() for beside in _besides(path)):
            _put_aside(path)
        with suppress(FileExistsError), drafted_once(path) as draft:
            tables.fill(draft)


def _state(path: Path, tables: Tables, name: str, until: float) -> _State:
    """Looks at a file, and waits where another program has it locked."""
    while True:
        try:
            with path.open("rb") as file:
                start = file.read(len(_HEADER))
        except FileNotFoundError:
            return _State.MISSING
        if not start:
            return _State.HALF_MADE
        if start != _HEADER:
            msg = f"{name} is no SQLite file, and is left as it is; name another one."
            raise ConfigError(msg)
        try:
            with closing(_opened(path)) as connection:
                return _judged(connection, tables, name)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                msg = f"{name} cannot be read: {reason(error)}."
                raise (BusyError if "locked" in str(error) else ConfigError)(msg) from None
        except sqlite3.DatabaseError as error:
            msg = f"{name} is damaged: {reason(error)}; it is left as it is, name another one."
            raise ConfigError(msg) from None


def _judged(connection: sqlite3.Connection, tables: Tables, name: str) -> _State:
    found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    found = {table for table in found if not table.startswith(("sqlite_", _MOVING))}
    revision = _first(connection, f"SELECT version_num FROM {_VERSIONS}") if _VERSIONS in found else None  # noqa: S608
    own = found & tables.tables
    if found - {_VERSIONS} and not own:
        msg = (
            f"{name} holds tables of another program ({', '.join(sorted(found - {_VERSIONS})[:3])}), and is left as it "
            "is; name another file."
        )
        raise ConfigError(msg)
    if revision is not None and revision not in tables.revisions:
        msg = f"{name} was written by a newer version of {tables.program}; upgrade that, or name another file."
        raise ConfigError(msg)
    complete = tables.tables <= found and revision == tables.head
    if complete and all(_first(connection, query) is not None for query in tables.filled):
        return _State.COMPLETE
    if any(_first(connection, query) is not None for table, query in tables.worth.items() if table in found):
        msg = (
            f"{name} was written by an older version of {tables.program}, or lacks a part; it is left as it is: "
            f"{tables.upgrade}, or name another file."
        )
        raise ConfigError(msg)
    if found - tables.tables - {_VERSIONS}:
        msg = f"{name} holds tables of several programs, those of {tables.program} in part; name another file."
        raise ConfigError(msg)
    return _State.HALF_MADE


def _is_abandoned(path: Path, tables: Tables, name: str, until: float) -> bool:
    """Waits until a half-made file is complete, or until it is clear that nobody works on it."""
    still_since, before = time.monotonic(), _signature(path)
    while True:
        at_work = _who_has_open(path)
        signature = _signature(path)
        if at_work is not None or signature != before:
            still_since, before = time.monotonic(), signature
        if time.monotonic() - still_since > _STILL_S:
            return True
        if time.monotonic() > until:
            who = "another host" if at_work is None else f"process {at_work}"
            msg = f"{name} is being made by {who} for more than {_PATIENCE_S:.0f} s; wait for it, or end it."
            raise BusyError(msg)
        time.sleep(_LOOK_S)
        if _state(path, tables, name, until) is not _State.HALF_MADE:
            return False


def _who_has_open(path: Path) -> int | None:
    """Number of another process that has a file open, of those that can be looked into."""
    own = psutil.Process().pid
    wanted = str(path.resolve())
    for process in psutil.process_iter():
        if process.pid == own:
            continue
        with suppress(psutil.Error, OSError):
            if any(file.path == wanted for file in process.open_files()):
                return int(process.pid)
    return None


def _signature(path: Path) -> list[tuple[int, int]]:
    """Changes whenever a file, or what SQLite keeps beside it, does."""
    found = []
    for file in (path, *_besides(path)):
        with suppress(FileNotFoundError):
            status = file.stat()
            found.append((status.st_size, status.st_mtime_ns))
    return found


def _put_aside(path: Path) -> Path:
    """Gives a file, and what SQLite keeps beside it, a name that is free."""
    number = 1
    while True:
        aside = path.with_name(f"{path.name}.incomplete-{number}")
        if not any(file.exists() for file in (aside, *_besides(aside))):
            break
        number += 1
    # The file itself last: what is beside it would be taken for a part of a new one.
    for file, kept in zip((*_besides(path), path), (*_besides(aside), aside), strict=True):
        with suppress(FileNotFoundError):
            file.rename(kept)
    return aside


def _besides(path: Path) -> Iterator[Path]:
    return (path.with_name(f"{path.name}{ending}") for ending in _BESIDE)


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{urllib.parse.quote(str(path))}?mode=rw", uri=True, timeout=_LOCK_WAIT_S)


def _first(connection: sqlite3.Connection, query: str) -> object:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]
