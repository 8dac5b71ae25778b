"""Who is told of a search."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from autoq.api.results._candidate import Build, Candidate
from autoq.api.results._folder import RunFolder
from autoq.report import LiveTable
from autoq.searching.front import SearchInfo, TrialTable
from autoq.searching.loop import Clock
from autoq.searching.records import TrialRecord
from autoq.searching.shown import ParetoFront, SearchObserver
from autoq.tracking import Figures, MlflowObserver

# To open a store takes seconds, which a search of less than that has no time for before int8 is measured.
SHORT_S = 60.0


def tables(stack: ExitStack, table: Callable[[], TrialTable], *, progress: bool) -> Iterator[SearchObserver]:
    """What is drawn of a search, where it is wanted; it is closed with the stack.

    Args:
        stack: Of the search.
        table: Gives what the search came to, once it ended.
        progress: Whether it is wanted.
    """
    if progress:
        yield stack.enter_context(LiveTable(table=table))


def trackers(
    stack: ExitStack,
    *,
    tracking_uri: str | None,
    experiment: str | None,
    build: Build,
    figures: Figures,
    table: Callable[[], TrialTable],
    clock: Clock,
) -> Iterator[SearchObserver]:
    """MLflow, where it is wanted; what it holds open is closed with the stack.

    Args:
        stack: Of the search.
        tracking_uri: MLflow store; None is the one that MLflow knows of, "off" tracks nothing.
        experiment: MLflow experiment; None leaves it to what the caller has active.
        build: Builds the model of a trial.
        figures: What the search comes to.
        table: Gives its trials, once it ended.
        clock: Of the search.

    Raises:
        ConfigError: The store cannot be opened.
    """
    if tracking_uri != "off":
        yield stack.enter_context(
            MlflowObserver(
                tracking_uri,
                experiment,
                export=lambda record, path: Candidate(record, build).save(path),
                figures=figures,
                table=table,
                ends=clock.ends,
            )
        )


class OpenedLate:
    """A search observer that opens another one when it is told of the first trial, and tells it what it missed.

    Args:
        opened: Opens it; gives none where none is wanted.
    """

    def __init__(self, opened: Callable[[], Iterable[SearchObserver]]) -> None:
        self._open = opened
        self._opened: tuple[SearchObserver, ...] | None = None
        self._start: tuple[SearchInfo, Sequence[TrialRecord]] | None = None

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Passes on what happens."""
        for observer in self._opened or ():
            observer.on_stage(text, done, total)

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """Keeps what the other one will be told."""
        self._start = info, tuple(earlier)

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Opens it with the first trial."""
        for observer in self._all():
            observer.on_trial(record, front)

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """Opens it where there was no trial."""
        for observer in self._all():
            observer.on_finish(records, front, files)

    def _all(self) -> tuple[SearchObserver, ...]:
        if self._opened is None:
            self._opened = tuple(self._open())
            if self._start is not None:
                for observer in self._opened:
                    observer.on_start(*self._start)
        return self._opened


def needed_later(tracking_uri: str | None, folder: RunFolder | None) -> Iterator[str]:
    """Modules whose import takes seconds, and that tracking and the report need."""
    if tracking_uri != "off":
        yield "mlflow"
    if folder is not None:
        yield "matplotlib.figure"
