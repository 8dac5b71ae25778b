"""Writes a result, and tells the observers of it, whatever fails there."""

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
from autoq.searching.records import Part


def publish(session: SearchSession, result: SearchResult, folder: RunFolder | None) -> SearchResult:
    """Writes a result, and tells the observers of it.

    Args:
        session: The session of the search.
        result: The result of the search.
        folder: The folder to write to; None writes nothing.

    Returns:
        The result, with `interrupted` set where the user stopped this.
    """
    session.result, clock = result, session.request.clock
    try:
        with held():
            if folder is not None:
                with clock.spent(Part.FILES), in_any_case(f"writing the result to {str(folder.path)!r}"):
                    result.save(folder.path)
            if not result.ended_before:
                session.result = replace(result, seconds=clock.spent_s)
            with clock.spent(Part.TRACK):
                session.audience.on_finish(result.records, result.front, result.folder)
    except KeyboardInterrupt:
        return replace(result, interrupted=True)
    return result


@contextmanager
def in_any_case(what: str) -> Iterator[None]:
    """Encloses a step after the trials. An error becomes a warning, since the trials stay valid without the step."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # any error becomes a warning
        warnings.warn(f"{what} failed, and the trials stay valid without it: {named_reason(error)}", stacklevel=4)
