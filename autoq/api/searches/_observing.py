"""The observers of a search."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from autoq.api.results._candidate import Build, Candidate
from autoq.api.searches._advance import tracking_imports
from autoq.evaluation.isolation import Meanwhile
from autoq.report import LiveTable
from autoq.searching.front import SearchInfo, TrialTable
from autoq.searching.problem import Clock
from autoq.searching.records import TrialRecord
from autoq.searching.shown import EarlierError, ParetoFront, SearchObserver, TimeRow
from autoq.tracking import Figures, MlflowObserver

# Opening a store takes seconds. A search shorter than this measures int8 first, whatever is wrong with the store.
SHORT_S = 60.0


def tables(
    stack: ExitStack, table: Callable[[], TrialTable], notes: Callable[[], Mapping[str, str]], *, progress: bool
) -> Iterator[SearchObserver]:
    """The live table, where the user wants it. The stack closes it.

    Args:
        stack: The exit stack of the search.
        table: Gives the table of trials once the search has ended.
        notes: Gives its notes then.
        progress: Whether the user wants it.
    """
    if progress:
        yield stack.enter_context(LiveTable(table=table, notes=notes))


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


class ToldMeanwhile:
    """A search observer that tells others in a thread: each event while the device does other things than timing.

    It is a context manager. Its end waits for the thread, and closes the others.

    Args:
        opened: Opens the others; gives none where none is wanted. It is called again where it failed.
        meanwhile: The thread.
        late: Open the others when both int8 and the float model are measured, while the model is probed. Otherwise
            they are opened at the start.
    """

    def __init__(self, opened: Callable[[], Iterable[MlflowObserver]], meanwhile: Meanwhile, *, late: bool) -> None:
        self._open, self._meanwhile, self._waits = opened, meanwhile, late
        self._others: tuple[MlflowObserver, ...] | None = None
        self._untold: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._errors: list[EarlierError] = []
        self._stack = ExitStack()

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Does nothing: the preparation is not tracked."""

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """Has the others told of the start, in time."""
        self._pass_on("on_start", info, tuple(earlier))

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Has the others told of the trial, in time; raises the first error since the trial before.

        Raises:
            EarlierError: One of the others failed in an earlier event.
        """
        if self._waits and len(front.records) > 1:
            self._waits = False
            self._meanwhile.begin(*tracking_imports())
        self._pass_on("on_trial", record, front)

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """Tells the others of the end, when they know all before it; raises the first error since the last trial.

        Raises:
            EarlierError: One of the others failed in this event or in an earlier one.
        """
        self._untold.append(("on_finish", (records, front, files)))
        self._meanwhile.wait()
        self._tell()
        self._raise()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(Exception):
            self._meanwhile.wait()
        self._stack.__exit__(kind, error, trace)

    def _pass_on(self, event: str, *what: Any) -> None:  # as the event has it
        self._untold.append((event, what))
        if not self._waits:
            self._meanwhile.begin(self._tell)
        self._raise()

    def _tell(self) -> None:
        """Tells what the others missed. An error is kept, and what comes after it is told nevertheless."""
        try:
            if self._others is None:
                self._others = tuple(self._stack.enter_context(other) for other in self._open())
        except Exception as error:  # noqa: BLE001  # of any kind: whoever waits for the thread must not end by it
            self._errors.append(EarlierError(MlflowObserver.__name__, "opening", error))
            return
        while self._untold:
            event, what = self._untold.popleft()
            for other in self._others:
                try:
                    getattr(other, event)(*what)
                except Exception as error:  # noqa: BLE001  # as above
                    self._errors.append(EarlierError(type(other).__name__, event, error))

    def _raise(self) -> None:
        if self._errors:
            error = self._errors[0]
            self._errors.clear()
            raise error
