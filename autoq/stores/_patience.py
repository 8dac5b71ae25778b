"""Waits for a database that is away for a while: a server that restarts, a file that another program has locked."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

from autoq.core import reason

R = TypeVar("R")
LONGEST_WAIT_S = 120.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
# Waiting so long is not worth a word.
_SILENT_S = 3.0
# What SQLite and the drivers of servers say of a database that will be there again. None has a code for all of them.
_AWAY = (
    *("database is locked", "database schema is locked", "connection refused", "starting up", "shutting down"),
    *("recovery mode", "accepting connections", "closed the connection", "connection reset", "broken pipe"),
    *("server has gone away", "lost connection", "connection is lost", "connection is closed", "connection is bad"),
    *("connection already closed", "connection timeout", "timed out", "timeout expired", "can't connect"),
    *("could not receive data", "could not send data", "ssl syscall error", "too many clients", "connection slots"),
    *("terminating connection", "network is unreachable", "no route to host", "is the server running"),
)


class StoreWarning(UserWarning):
    """What a person should know of a store that a search is kept in."""


def is_away(error: BaseException) -> bool:
    """Whether an error, or one that it was raised from, says that a database is away for a while."""
    from sqlalchemy.exc import DBAPIError

    for cause in causes(error):
        if isinstance(cause, DBAPIError):
            if cause.connection_invalidated:
                return True
            said = str(cause.orig).lower()
            if any(words in said for words in _AWAY):
                return True
    return False


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it was raised from or after."""
    seen: set[int] = set()
    next_one: BaseException | None = error
    while next_one is not None and id(next_one) not in seen:
        seen.add(id(next_one))
        yield next_one
        next_one = next_one.__cause__ or next_one.__context__


def patiently(call: Callable[[], R], *, what: str) -> R:
    """Calls until a database that is away is there again, and says so where that takes longer than a moment.

    Args:
        call: Asks the database; called again after it failed for that reason.
        what: The database, for people.

    Returns:
        What the call returns.

    Raises:
        Exception: (The call raised) any error, one of a database that is away after the wait.
    """
    began, pause, told = time.monotonic(), _FIRST_PAUSE_S, False
    while True:
        try:
            return call()
        except Exception as error:
            waited = time.monotonic() - began
            if waited > LONGEST_WAIT_S or not is_away(error):
                raise
            if waited > _SILENT_S and not told:
                told = True
                warnings.warn(
                    f"{what} is waited for, up to {LONGEST_WAIT_S:.0f} s: {_said(error)}", StoreWarning, stacklevel=2
                )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _said(error: BaseException) -> str:
    from sqlalchemy.exc import DBAPIError

    deepest = next((cause.orig for cause in causes(error) if isinstance(cause, DBAPIError) and cause.orig), error)
    return f"{reason(deepest).rstrip('.')}."
