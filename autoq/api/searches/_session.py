"""One call of `search`: its folder, its storage and its observers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

from autoq._stopping import held
from autoq.api.results._folder import RunFolder
from autoq.api.results._inputs import check_run_inputs
from autoq.api.results._result import SearchResult
from autoq.api.results._scores import ScoreKeeper
from autoq.api.results._tuned_models import TunedModels
from autoq.api.searches._advance import tracking_imports
from autoq.api.searches._observing import SHORT_S, ToldMeanwhile, tables, trackers
from autoq.api.searches._places import taken
from autoq.api.searches._request import SearchRequest
from autoq.evaluation.isolation import DeviceProcess, Meanwhile
from autoq.searching.shown import Audience, SearchObserver
from autoq.searching.study import Storage
from autoq.tracking import MlflowObserver, active_run_id, opens_surely


@dataclass(slots=True, kw_only=True)
class SearchSession:
    """One call of `search`, from its request to its result.

    Attributes:
        request: The request of the search.
        stack: Closes what the session opened.
        process: The device process; None where this process evaluates.
        meanwhile: Works while the device process does other things than timing.
        active: The active run of the caller in MLflow; None without one.
        folder: The folder that this search writes to; None writes nothing.
        storage: The storage of the study.
        keeper: Keeps the scores of single samples.
        tuned: Keeps the tuned models.
        audience: The observers.
        result: The result of the search; None until it is published.
    """

    request: SearchRequest
    stack: ExitStack
    process: DeviceProcess | None
    meanwhile: Meanwhile
    active: str | None
    folder: RunFolder | None
    storage: Storage
    keeper: ScoreKeeper
    tuned: TunedModels
    audience: Audience
    result: SearchResult | None = None
    _is_late: bool = False
    _opened: list[MlflowObserver] = field(default_factory=list)

    @classmethod
    def opened(cls, stack: ExitStack, request: SearchRequest, process: DeviceProcess | None = None) -> SearchSession:
        """Takes the folder and the storage for this process, until the stack is closed.

        Raises:
            BusyError: Another process works on the study, or in the folder.
            ConfigError: The storage cannot be opened.
            OutputError: The folder cannot be written to, or the search would overwrite a file that it reads.
        """
        folder, storage = taken(stack, request.folder, request.storage, request.title)
        check_run_inputs(folder, *request.brought)
        keeper = ScoreKeeper(None if folder is None else folder.scores)
        meanwhile = Meanwhile() if process is None else process.meanwhile
        stack.callback(meanwhile.close)
        return cls(
            request=request,
            stack=stack,
            process=process,
            meanwhile=meanwhile,
            active=active_run_id(),
            folder=folder,
            storage=storage,
            keeper=keeper,
            tuned=TunedModels(None if folder is None else folder.tuned),
            audience=Audience([keeper]),
        )

    def call_observers(self, *first: SearchObserver) -> None:
        """Adds these observers, the user's own ones and the live table to the audience."""
        request = self.request
        for observer in (*first, *request.observers):
            self.audience.join(observer)
        shown = tables(
            self.stack, lambda: self.published.table, lambda: self.published.info.notes, progress=request.progress
        )
        for table in shown:
            self.audience.join(table)
        if request.tracking_uri != "off":
            is_sure = opens_surely(request.tracking_uri, request.experiment, self.active)
            self._is_late = is_sure or request.clock.seconds < SHORT_S
            if not self._is_late:
                self.meanwhile.begin(*tracking_imports())

    def open_tracking(self) -> None:
        """Begins to open MLflow in a thread: after int8 in a short search, or where it will surely open."""
        if self._is_late:
            self._track(self._open, late=True)
        else:
            self.meanwhile.begin(self._begin_tracking)

    def join_tracking(self) -> None:
        """Adds MLflow to the audience once it is open.

        Raises:
            ConfigError: The store cannot be opened.
        """
        with held():
            self.meanwhile.wait()
            if self._opened:
                opened = tuple(self._opened)
                self._track(lambda: opened, late=False)
            self._opened.clear()

    def track_at_once(self) -> None:
        """Opens MLflow, and adds it to the audience.

        Raises:
            ConfigError: The store cannot be opened.
        """
        self._begin_tracking()
        self.join_tracking()

    def _track(self, opened: Callable[[], Iterable[MlflowObserver]], *, late: bool) -> None:
        self.audience.join(self.stack.enter_context(ToldMeanwhile(opened, self.meanwhile, late=late)))

    def _begin_tracking(self) -> None:
        self._opened += self._open()

    def _open(self) -> Iterator[MlflowObserver]:
        return trackers(
            tracking_uri=self.request.tracking_uri,
            experiment=self.request.experiment,
            build=lambda record: self.published.candidate(record.number).model,
            figures=lambda: self.published.figures,
            table=lambda: self.published.table,
            time=lambda: self.published.where_time_went,
            clock=self.request.clock,
            active=self.active,
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
