"""The line that says how a stopped search goes on."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from autoq._stopping import Stopped, is_command
from autoq.api.results._result import SearchResult
from autoq.api.searches._request import SearchRequest


@dataclass
class Ending:
    """How a search ended.

    Attributes:
        interrupted: Whether the search was stopped and has a result.
    """

    interrupted: bool = False

    def of(self, result: SearchResult) -> SearchResult:
        """Notes how the search of a result ended, and returns the result."""
        self.interrupted = result.interrupted
        return result


@contextmanager
def going_on(request: SearchRequest) -> Iterator[Ending]:
    """Prints how a stopped search goes on. A command of autoq does that itself.

    Nothing is printed without `progress`, unless a signal ended the process: its sender may not be the user.

    Args:
        request: The request of the search.
    """
    ending = Ending()
    try:
        yield ending
    except KeyboardInterrupt as error:
        if (request.progress or isinstance(error, Stopped)) and not is_command():
            _say(_sentence(request))
        raise
    if ending.interrupted and request.progress and not is_command():
        _say(_sentence(request))


def _sentence(request: SearchRequest) -> str:
    folder, storage, name = request.folder, request.storage, request.title
    if folder is None and storage is None:
        return "The search was stopped. It cannot go on: that takes an `out` or a `storage`."
    given = [] if folder is None else [f"out={str(folder.path)!r}"]
    if storage is not None:
        # The address may have a password.
        given += ["storage=..."]
    if folder is None or storage is not None or name != folder.path.resolve().name:
        given += [f"name={name!r}"]
    return f"The search was stopped; go on with: autoq.search(..., {', '.join(given)})"


def _say(sentence: str) -> None:
    with suppress(OSError, ValueError):
        print(sentence, file=sys.stderr, flush=True)  # noqa: T201  # the terminal's table is closed by now
