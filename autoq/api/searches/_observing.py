"""The observers of a search."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from autoq.api.results._candidate import Build, Candidate
from autoq.api.searches._advance import tracking_imports
from autoq.evaluation.isolation import Meanwhile
from autoq.report import LiveTable
from autoq.searching.front import SearchInfo, TrialTable
from autoq.searching.loop import Clock
from autoq.searching.records import TrialRecord
from autoq.searching.shown import ParetoFront, SearchObserver, TimeRow
from autoq.tracking import Figures, MlflowObserver

# Opening a store takes seconds. A search shorter than this measures int8 first, whatever is wrong with the store.
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
    *,
    tracking_uri: str | None,
    experiment: str | None,
    build: Build,
    figures: Figures,
    table: Callable[[], TrialTable],
    time: Callable[[], Sequence[TimeRow]],
    clock: Clock,
    active: str | None,
) -> Iterator[MlflowObserver]:
    """The observer that writes to MLflow, where the user wants it. The caller closes it.

    Args:
        tracking_uri: MLflow store; None is the one that MLflow is configured for, "off" tracks nothing.
        experiment: MLflow experiment; None is the one that the caller has active.
        build: Builds the model of a trial.
        figures: Gives figures of the whole search once it has ended.
        table: Gives the table of trials once it has ended.
        time: Tells where its time went once it has ended.
        clock: The clock of the search.
        active: The active run of the caller; None without one.

    Raises:
        ConfigError: The store cannot be opened.
    """
    if tracking_uri != "off":
        yield MlflowObserver(
            tracking_uri,
            experiment,
            export=lambda record, path: Candidate(record, build).save(path),
            figures=figures,
            table=table,
            time=time,
            ends=clock.ends,
            active=lambda: active,
        )


class OpenedLate:
    """A search observer that opens others at the first trial after int8 is measured, and tells them what they missed.

    What they need is imported from the moment on when int8 is measured, while the model is probed.

    Args:
        opened: Opens the others; gives none where none is wanted. It is called again where it failed.
        meanwhile: The thread that imports.
    """

    def __init__(self, opened: Callable[[], Iterable[SearchObserver]], meanwhile: Meanwhile) -> None:
        self._open, self._meanwhile = opened, meanwhile
        self._opened: tuple[SearchObserver, ...] | None = None
        self._untold: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._has_int8 = False

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Passes on the progress once the others are open."""
        for observer in self._opened or ():
            observer.on_stage(text, done, total)

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """Keeps the start for the other observers."""
        self._untold.append(("on_start", (info, tuple(earlier))))

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Passes on the trial, or keeps it for the other observers."""
        self._untold.append(("on_trial", (record, front)))
        if self._has_int8:
            self._tell()
        # The float model and int8 come first, in either order; an earlier session has both.
        elif record.quantized_sites or len(front.records) > 1:
            self._has_int8 = True
            self._meanwhile.begin(*tracking_imports())

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """Opens the others where they are not open, and passes the end on."""
        self._untold.append(("on_finish", (records, front, files)))
        self._tell()

    def _tell(self) -> None:
        if self._opened is None:
            self._meanwhile.wait()
            self._opened = tuple(self._open())
        errors: list[Exception] = []
        while self._untold:
            event, what = self._untold.popleft()
            for observer in self._opened:
                try:
                    getattr(observer, event)(*what)
                except Exception as error:  # noqa: BLE001  # of any kind: what comes after it is told nevertheless
                    errors.append(error)
        if errors:
            raise errors[0]
