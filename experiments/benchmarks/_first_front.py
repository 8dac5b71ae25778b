"""When a search has its first front."""

from __future__ import annotations

import time

from autoq.searching.records import TrialRecord
from autoq.searching.shown import ParetoFront

_GOAL_S = "<= 60"
# Models that take longer by inference have no goal.
_MOST_MS = 5.0


def goal(float_ms: float) -> str | None:
    """What is to be reached for a model that takes so long."""
    return None if float_ms > _MOST_MS else _GOAL_S


class FirstFront:
    """A search observer that notes when the first quantized model within the limits was on the front.

    Args:
        stop: Whether that is all that is asked for: it then ends the search as a user would, by Ctrl-C.
    """

    def __init__(self, *, stop: bool = False) -> None:
        self._stop = stop
        self._started = time.perf_counter()
        self.seconds = float("inf")
        self.trials = 0

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Nothing."""

    def on_start(self, info: object, earlier: object) -> None:
        """Nothing."""

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Notes the first."""
        if self.seconds < float("inf"):
            return
        self.trials += 1
        if any(not member.is_baseline for member in front):
            self.seconds = time.perf_counter() - self._started
            if self._stop:
                raise KeyboardInterrupt

    def on_finish(self, records: object, front: object, files: object) -> None:
        """Nothing."""
