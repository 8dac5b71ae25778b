"""Who is told of a search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from autoq.api._result import Build, Candidate
from autoq.report import LiveTable
from autoq.search import SearchObserver
from autoq.tracking import Figures, MlflowObserver


def own_observers(
    stack: ExitStack,
    *,
    progress: bool,
    tracking_uri: str | None,
    experiment: str | None,
    build: Build,
    figures: Figures,
) -> Iterator[SearchObserver]:
    """The table and MLflow, where they are wanted; what they hold open is closed with the stack.

    Args:
        stack: Of the search.
        progress: Show a table.
        tracking_uri: MLflow store; None is the one that MLflow knows of, "off" tracks nothing.
        experiment: MLflow experiment; None leaves it to what the caller has active.
        build: Builds the model of a trial.
        figures: What the search comes to.
    """
    if progress:
        yield stack.enter_context(LiveTable())
    if tracking_uri != "off":
        yield stack.enter_context(
            MlflowObserver(
                tracking_uri,
                experiment,
                export=lambda record, path: Candidate(record, build).save(path),
                figures=figures,
            )
        )
