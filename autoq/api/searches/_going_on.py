"""How a search that was stopped goes on: the one line that says so."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from autoq._stopping import Stopped, is_command
from autoq.api.results._folder import RunFolder
from autoq.api.results._result import SearchResult


@dataclass
class Ending:
    """How a search ended.

    Attributes:
        interrupted: Whether it was stopped, and has a result.
    """

    interrupted: bool = False

    def of(self, result: SearchResult) -> SearchResult:
        """The result, whose ending this is from then on."""
        self.interrupted = result.interrupted
        return result


@contextmanager
def going_on(folder: RunFolder | None, storage: str | None, name: str, *, shown: bool) -> Iterator[Ending]:
    """Says at the end of a search that was stopped how it goes on, but for a command's, which does so itself.

    Args:
        folder: Of the search.
        storage: Of its study, as the user gave it.
        name: Of its study.
        shown: Whether the user wants to see anything; who asked the process to end may not be the user.
    """
    ending = Ending()
    try:
        yield ending
    except KeyboardInterrupt as error:
        if (shown or isinstance(error, Stopped)) and not is_command():
            _say(_sentence(folder, storage, name))
        raise
    if ending.interrupted and shown and not is_command():
        _say(_sentence(folder, storage, name))


def _sentence(folder: RunFolder | None, storage: str | None, name: str) -> str:
    if folder is None and storage is None:
        return "The search was stopped; it would go on later if it had an `out` or a `storage`."
    given = [] if folder is None else [f"out={str(folder.path)!r}"]
    if storage is not None:
        # Its address may hold a password.
        given += ["storage=..."]
    if folder is None or storage is not None or name != folder.path.resolve().name:
        given += [f"name={name!r}"]
    return f"The search was stopped; go on with: autoq.search(..., {', '.join(given)})"


def _say(sentence: str) -> None:
    with suppress(OSError, ValueError):
        print(sentence, file=sys.stderr, flush=True)  # noqa: T201  # the terminal's table is closed by now
