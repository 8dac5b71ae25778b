"""Waits for a database that is unreachable for a while: a server that restarts, a file that is locked."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

from autoq.core import reason

R = TypeVar("R")
logger = logging.getLogger(__name__)
LONGEST_WAIT_S = 120.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
# A shorter wait is not reported.
_SILENT_S = 3.0
# Words in messages of SQLite and of drivers about a database that will be back. No code stands for all of them.
_AWAY = (
    *("database is locked", "database schema is locked", "connection refused", "starting up", "shutting down"),
    *("recovery mode", "accepting connections", "closed the connection", "connection reset", "broken pipe"),
    *("server has gone away", "lost connection", "connection is lost", "connection is closed", "connection is bad"),
    *("connection already closed", "connection timeout", "timed out", "timeout expired", "can't connect"),
    *("could not receive data", "could not send data", "ssl syscall error", "too many clients", "connection slots"),
    *("terminating connection", "network is unreachable", "no route to host", "is the server running"),
)


class StoreWarning(UserWarning):
    """A warning about a store of a search."""


def is_away(error: BaseException) -> bool:
    """Whether an error, or one of its causes, says that a database is unreachable for a while."""
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
    """An error and its causes, the last one first."""
    seen: set[int] = set()
    next_one: BaseException | None = error
    while next_one is not None and id(next_one) not in seen:
        seen.add(id(next_one))
        yield next_one
        next_one = next_one.__cause__ or next_one.__context__


def patiently(call: Callable[[], R], *, what: str) -> R:
    """Repeats a call while the database is unreachable, and warns where that takes longer than a moment.

    Args:
        call: Asks the database. It is called again where it failed because the database is unreachable.
        what: Name of the database, for people.

    Returns:
        The result of the call.

    Raises:
        Exception: (The call raised) any other error, or the database is still unreachable after the longest wait.
    """
    began, pause, told = time.monotonic(), _FIRST_PAUSE_S, False
    while True:
        try:
            return call()
        except Exception as error:
            waited = time.monotonic() - began
            if waited > LONGEST_WAIT_S or not is_away(error):
                raise
            logger.debug("%s is asked again after %.1f s: %s", what, waited, _said(error))
            if waited > _SILENT_S and not told:
                told = True
                warnings.warn(
                    f"waiting for {what}, up to {LONGEST_WAIT_S:.0f} s: {_said(error)}", StoreWarning, stacklevel=2
                )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _said(error: BaseException) -> str:
    from sqlalchemy.exc import DBAPIError

    deepest = next((cause.orig for cause in causes(error) if isinstance(cause, DBAPIError) and cause.orig), error)
    return f"{reason(deepest).rstrip('.')}."
