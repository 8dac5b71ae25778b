"""All observers of a search as one, whose errors do not end the search."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from autoq._stopping import held
from autoq.core import named_reason
from autoq.searching.front import SearchInfo
from autoq.searching.records import TrialRecord
from autoq.searching.shown._observer import SearchObserver
from autoq.searching.shown._pareto_front import ParetoFront


class EarlierError(Exception):
    """An observer failed in an earlier event, as another one that tells it in a thread says.

    Attributes:
        observer: Name of the type of the observer.
        event: The earlier event.
        error: Its error.
    """

    def __init__(self, observer: str, event: str, error: Exception) -> None:
        super().__init__(str(error))
        self.observer, self.event, self.error = observer, event, error


class Audience:
    """A search observer that tells all others what it is told.

    If an observer raises an error, a warning names it once. It is still told of later events: a store may be back by
    then. Ctrl-C is no error, and is passed on.

    Args:
        observers: The others, told in this order.
    """

    def __init__(self, observers: Iterable[SearchObserver]) -> None:
        self._observers = tuple(observers)
        self._warned_of: set[int] = set()

    def join(self, observer: SearchObserver) -> None:
        """From now on, this observer is told too."""
        self._observers = (*self._observers, observer)

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Preparation goes on."""
        self._tell("on_stage", text, done, total)

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """The search starts, or goes on."""
        self._tell("on_start", info, earlier)

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """A trial ended."""
        self._tell("on_trial", record, front)

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """The search ended."""
        self._tell("on_finish", records, front, files)

    def _tell(self, event: str, *what: Any) -> None:  # as the event has it
        # A signal waits until all are told of the event: otherwise a store would keep a run that never ends.
        with held():
            for place, observer in enumerate(self._observers):
                try:
                    getattr(observer, event)(*what)
                except Exception as error:  # noqa: BLE001  # of any kind: none ends the search
                    if place not in self._warned_of:
                        self._warned_of.add(place)
                        own = EarlierError(type(observer).__name__, event, error)
                        failed = error if isinstance(error, EarlierError) else own
                        warnings.warn(
                            f"the observer {failed.observer} failed in {failed.event}, and the search goes on without "
                            f"it: {named_reason(failed.error)}",
                            stacklevel=3,
                        )
