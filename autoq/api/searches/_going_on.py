"""How a search that was stopped goes on: the one line that says so."""

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
        interrupted: Whether it was stopped, and has a result.
    """

    interrupted: bool = False

    def of(self, result: SearchResult) -> SearchResult:
        """Notes how the search of this result ended, and gives the result back."""
        self.interrupted = result.interrupted
        return result


@contextmanager
def going_on(request: SearchRequest) -> Iterator[Ending]:
    """Says at the end of a search that was stopped how it goes on; a command does so itself.

    Nothing is said to a user who wants to see nothing, unless another one asked the process to end.

    Args:
        request: Of the search.
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
