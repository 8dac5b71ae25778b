"""One call of `search`: its folder, its storage and its observers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from autoq._stopping import held
from autoq.api.results._folder import RunFolder
from autoq.api.results._inputs import check_run_inputs
from autoq.api.results._result import SearchResult
from autoq.api.results._scores import ScoreKeeper
from autoq.api.searches._advance import imported_in_advance
from autoq.api.searches._observing import SHORT_S, OpenedLate, needed_later, tables, trackers
from autoq.api.searches._places import taken
from autoq.api.searches._request import SearchRequest
from autoq.searching.loop import Audience
from autoq.searching.shown import SearchObserver
from autoq.searching.study import Storage


@dataclass(slots=True, kw_only=True)
class SearchSession:
    """One call of `search`, from its request to its result.

    Attributes:
        request: The request of the search.
        stack: Closes what the session opened.
        folder: The folder that this search writes to; None writes nothing.
        storage: The storage of the study.
        keeper: Keeps the scores of single samples.
        audience: The observers.
        result: The result of the search; None until it is published.
    """

    request: SearchRequest
    stack: ExitStack
    folder: RunFolder | None
    storage: Storage
    keeper: ScoreKeeper
    audience: Audience
    result: SearchResult | None = None
    _wait_for_imports: Callable[[], None] = lambda: None

    @classmethod
    def opened(cls, stack: ExitStack, request: SearchRequest) -> SearchSession:
        """Takes the folder and the storage for this process, until the stack is closed.

        Raises:
            BusyError: Another process works on the study, or in the folder.
            ConfigError: The storage cannot be opened.
            OutputError: The folder cannot be written to, or the search would overwrite a file that it reads.
        """
        folder, storage = taken(stack, request.folder, request.storage, request.title)
        check_run_inputs(folder, *request.brought)
        keeper = ScoreKeeper(None if folder is None else folder.scores)
        return cls(
            request=request,
            stack=stack,
            folder=folder,
            storage=storage,
            keeper=keeper,
            audience=Audience([keeper]),
        )

    def call_observers(self, *first: SearchObserver) -> None:
        """Adds these observers, the user's own ones and the live table to the audience."""
        request = self.request
        for observer in (*first, *request.observers):
            self.audience.join(observer)
        for table in tables(self.stack, lambda: self.published.table, progress=request.progress):
            self.audience.join(table)
        if request.clock.is_limited:
            self._wait_for_imports = imported_in_advance(*needed_later(request.tracking_uri, self.folder))

    def open_tracking(self) -> None:
        """Adds MLflow to the audience. In a short search it is opened at the first trial, after int8 is measured."""
        with held():
            is_short = self.request.clock.seconds < SHORT_S
            for tracker in [OpenedLate(self.trackers)] if is_short else self.trackers():
                self.audience.join(tracker)

    def trackers(self) -> Iterator[SearchObserver]:
        """Opens MLflow where the user wants it.

        Raises:
            ConfigError: The store cannot be opened.
        """
        self._wait_for_imports()
        return trackers(
            self.stack,
            tracking_uri=self.request.tracking_uri,
            experiment=self.request.experiment,
            build=lambda record: self.published.candidate(record.number).model,
            figures=lambda: self.published.figures,
            table=lambda: self.published.table,
            time=lambda: self.published.where_time_went,
            clock=self.request.clock,
        )

    @property
    def published(self) -> SearchResult:
        """The result, for the observers.

        Raises:
            RuntimeError: There is no result yet.
        """
        if self.result is None:
            msg = "the search has no result yet"
            raise RuntimeError(msg)
        return self.result
