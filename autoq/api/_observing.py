"""Who is told of a search, besides those that the user names."""

from __future__ import annotations

from collections.abc import Iterator

from autoq.api._result import Build, Candidate
from autoq.report import LiveTable
from autoq.search import SearchObserver
from autoq.tracking import Figures, MlflowObserver

DEFAULT_TRACKING = "sqlite:///mlflow.db"


def own_observers(
    progress: bool, tracking_uri: str | None, experiment: str, build: Build, *, figures: Figures
) -> Iterator[SearchObserver]:
    """The table and MLflow, where they are wanted.

    Args:
        progress: Show a table.
        tracking_uri: MLflow store; "off" tracks nothing.
        experiment: MLflow experiment.
        build: Builds the model of a trial.
        figures: What the search comes to.
    """
    if progress:
        yield LiveTable()
    if tracking_uri != "off":
        yield MlflowObserver(
            tracking_uri or DEFAULT_TRACKING,
            experiment,
            export=lambda record, path: Candidate(record, build).save(path),
            figures=figures,
        )
