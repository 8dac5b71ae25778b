"""A result is written, and all who watch are told of it, whatever fails there."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from autoq._stopping import held
from autoq.api.results._folder import RunFolder
from autoq.api.results._result import SearchResult
from autoq.api.searches._session import SearchSession
from autoq.core import named_reason


def publish(session: SearchSession, result: SearchResult, folder: RunFolder | None) -> SearchResult:
    """Writes a result, and tells all who watch.

    Args:
        session: Of the search.
        result: What the search came to.
        folder: Where it is written; None writes nothing.

    Returns:
        The result, `interrupted` where the user stopped this.
    """
    session.result = result
    try:
        with held():
            if folder is not None:
                with in_any_case(f"writing the result to {str(folder.path)!r}"):
                    result.save(folder.path)
            session.audience.on_finish(result.records, result.front, result.folder)
    except KeyboardInterrupt:
        return replace(result, interrupted=True)
    return result


@contextmanager
def in_any_case(what: str) -> Iterator[None]:
    """A block that follows the trials: its error becomes a warning, since the trials stand without it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # of any kind
        warnings.warn(f"{what} failed, and the trials stand without it: {named_reason(error)}", stacklevel=4)
