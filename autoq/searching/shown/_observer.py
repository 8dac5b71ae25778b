"""Observers: a search tells them what happens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from autoq.searching.front import SearchInfo
from autoq.searching.records import TrialRecord
from autoq.searching.shown._pareto_front import ParetoFront


class SearchObserver(Protocol):
    """Told what happens in a search; tracking and report implement it.

    No method may change the search. An exception in a method becomes a warning.
    """

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Preparation goes on: `text` says what happens now, `done` of `total` how far it is."""

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """The search starts, or goes on after the `earlier` trials."""

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """A trial ended; `front` includes it.

        It is told again, with the same number, when it was scored on more samples or timed once more.
        """

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """The search ended and wrote its files into the folder `files`, if it has one."""
