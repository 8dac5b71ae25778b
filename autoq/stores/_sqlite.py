"""SQLite files that have all tables of a program, or do not exist. A half-made file is put aside and made again.

A file is made under another name, and gets its own name when it is complete. So no end of this process leaves a
half-made file. Half-made files of other programs are found, and kept under another name.
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
# Endings of the files that SQLite keeps beside a file while it is changed.
_BESIDE = ("-journal", "-wal", "-shm")
# Most seconds to wait for a process that makes the file, or that has locked it.
_PATIENCE_S = 120.0
# A file that no process has open, and that has not changed for this time, is no longer being made.
_STILL_S = 3.0
_LOOK_S = 0.1
_LOCK_WAIT_S = 5.0
_VERSIONS = "alembic_version"
# Names of tables in the middle of an upgrade.
_MOVING = "_alembic_tmp_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """The tables of a program in a SQLite file.

    Attributes:
        program: Name of the program.
        tables: Names of the tables of a complete file.
        head: Alembic revision of a complete file.
        revisions: Alembic revisions that the program knows.
        filled: Queries. Each finds a row in a complete file.
        unmissed: Queries by table. Each finds only the rows that the program does not make itself.
        upgrade: How a user brings an older file to this version.
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
        """Queries by table. Each finds the rows that a user would miss."""
        return {table: f"SELECT 1 FROM {table} LIMIT 1" for table in self.tables} | dict(self.unmissed)  # noqa: S608


class _State(Enum):
    MISSING = auto()
    HALF_MADE = auto()
    COMPLETE = auto()


def ensure_complete(path: Path, tables: Tables, name: str) -> None:
    """Makes a SQLite file where it is missing or half made.

    Several processes may do so at once: one makes the file, the others wait for it.

    Args:
        path: Path of the file; its folder exists.
        tables: Tables of the file.
        name: Name of the store, for people.

    Raises:
        ConfigError: The file holds something else, or was written by another version of the program. It is not changed.
        BusyError: Another process makes the file, or has locked it, for too long.
        OutputError: The file cannot be made.
        OSError: The file cannot be made.
    """
    until = time.monotonic() + _PATIENCE_S
    lock = path.with_name(f".{path.name}.lock")
    while _state(path, tables, name, until) is not _State.COMPLETE:
        try:
            with locked(lock, wait_s=_PATIENCE_S):
                _complete(path, tables, name, until)
        except TimeoutError:
            msg = f"another process has been making {name} for {_PATIENCE_S:.0f} s; wait for it, or end it."
            raise BusyError(msg) from None
    # Remove what processes left that were killed while they made the file.
    sweep(path.parent, path.name)
    if lock.exists():
        with suppress(TimeoutError, OSError), locked(lock, wait_s=0):
            pass


def _complete(path: Path, tables: Tables, name: str, until: float) -> None:
    state = _state(path, tables, name, until)
    if state is _State.HALF_MADE and _is_abandoned(path, tables, name, until):
        kept = _put_aside(path)
        warnings.warn(
            f"a process that was ended left {name} half made: it is kept as {kept.name!r}, and made again.",
            StoreWarning,
            stacklevel=2,
        )
        state = _State.MISSING
    if state is _State.MISSING:
        # SQLite would take the remains of an earlier file for a part of the new one.
        if any(beside.exists() for beside in _besides(path)):
            _put_aside(path)
        with suppress(FileExistsError), drafted_once(path) as draft:
            tables.fill(draft)


def _state(path: Path, tables: Tables, name: str, until: float) -> _State:
    """The state of a file. Waits while another program has it locked."""
    while True:
        try:
            with path.open("rb") as file:
                start = file.read(len(_HEADER))
        except FileNotFoundError:
            return _State.MISSING
        if not start:
            return _State.HALF_MADE
        if start != _HEADER:
            msg = f"{name} is not a SQLite file, and stays as it is; name another file."
            raise ConfigError(msg)
        try:
            with closing(_opened(path)) as connection:
                return _judged(connection, tables, name)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                msg = f"{name} cannot be read: {reason(error)}."
                raise (BusyError if "locked" in str(error) else ConfigError)(msg) from None
        except sqlite3.DatabaseError as error:
            msg = f"{name} is damaged: {reason(error)}; it stays as it is, name another file."
            raise ConfigError(msg) from None


def _judged(connection: sqlite3.Connection, tables: Tables, name: str) -> _State:
    found = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    found = {table for table in found if not table.startswith(("sqlite_", _MOVING))}
    revision = _first(connection, f"SELECT version_num FROM {_VERSIONS}") if _VERSIONS in found else None  # noqa: S608
    own = found & tables.tables
    if found - {_VERSIONS} and not own:
        msg = (
            f"{name} holds tables of another program ({', '.join(sorted(found - {_VERSIONS})[:3])}), and stays as it "
            "is; name another file."
        )
        raise ConfigError(msg)
    if revision is not None and revision not in tables.revisions:
        msg = f"{name} was written by a newer version of {tables.program}; upgrade it, or name another file."
        raise ConfigError(msg)
    complete = tables.tables <= found and revision == tables.head
    if complete and all(_first(connection, query) is not None for query in tables.filled):
        return _State.COMPLETE
    if any(_first(connection, query) is not None for table, query in tables.worth.items() if table in found):
        msg = (
            f"{name} was written by an older version of {tables.program}, or lacks a part, and stays as it is: "
            f"{tables.upgrade}, or name another file."
        )
        raise ConfigError(msg)
    if found - tables.tables - {_VERSIONS}:
        msg = f"{name} holds tables of several programs, and only a part of {tables.program}'s; name another file."
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
            msg = f"{who} has been making {name} for {_PATIENCE_S:.0f} s; wait for it, or end it."
            raise BusyError(msg)
        time.sleep(_LOOK_S)
        if _state(path, tables, name, until) is not _State.HALF_MADE:
            return False


def _who_has_open(path: Path) -> int | None:
    """Number of another process that has a file open; None where none is found."""
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
    """Sizes and times of a file and of SQLite's files beside it: they change whenever a file does."""
    found = []
    for file in (path, *_besides(path)):
        with suppress(FileNotFoundError):
            status = file.stat()
            found.append((status.st_size, status.st_mtime_ns))
    return found


def _put_aside(path: Path) -> Path:
    """Renames a file, and SQLite's files beside it, to a free name."""
    number = 1
    while True:
        aside = path.with_name(f"{path.name}.incomplete-{number}")
        if not any(file.exists() for file in (aside, *_besides(aside))):
            break
        number += 1
    # The file itself comes last: SQLite would take the files beside it for a part of a new file.
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
