"""The observers of a search."""

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
from autoq.searching.shown import ParetoFront, SearchObserver, TimeRow
from autoq.tracking import Figures, MlflowObserver

# Opening a store takes seconds. A search shorter than this measures int8 first.
SHORT_S = 60.0


def tables(stack: ExitStack, table: Callable[[], TrialTable], *, progress: bool) -> Iterator[SearchObserver]:
    """The live table, where the user wants it. The stack closes it.

    Args:
        stack: The exit stack of the search.
        table: Gives the table of trials once the search has ended.
        progress: Whether the user wants it.
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
    time: Callable[[], Sequence[TimeRow]],
    clock: Clock,
) -> Iterator[SearchObserver]:
    """The observer that writes to MLflow, where the user wants it. The stack closes it.

    Args:
        stack: The exit stack of the search.
        tracking_uri: MLflow store; None is the one that MLflow is configured for, "off" tracks nothing.
        experiment: MLflow experiment; None is the one that the caller has active.
        build: Builds the model of a trial.
        figures: Gives figures of the whole search once it has ended.
        table: Gives the table of trials once it has ended.
        time: Tells where its time went once it has ended.
        clock: The clock of the search.

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
                time=time,
                ends=clock.ends,
            )
        )


class OpenedLate:
    """A search observer that opens other observers at the first trial, and tells them how the search started.

    Args:
        opened: Opens the other observers; gives none where none is wanted.
    """

    def __init__(self, opened: Callable[[], Iterable[SearchObserver]]) -> None:
        self._open = opened
        self._opened: tuple[SearchObserver, ...] | None = None
        self._start: tuple[SearchInfo, Sequence[TrialRecord]] | None = None

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Passes on the progress once the others are open."""
        for observer in self._opened or ():
            observer.on_stage(text, done, total)

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """Keeps the start for the other observers."""
        self._start = info, tuple(earlier)

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Opens the others at the first trial, and passes the trial on."""
        for observer in self._all():
            observer.on_trial(record, front)

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """Opens the others where there was no trial, and passes the end on."""
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
    """Modules that tracking and the report need. Their import takes seconds."""
    if tracking_uri != "off":
        yield "mlflow"
    if folder is not None:
        yield "matplotlib.figure"
