"""How long a training takes: so many steps, or so many seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TuningLimit:
    """The length of a training; one of the two is given.

    Attributes:
        steps: Steps, those of the race included.
        seconds: Seconds, from the call to the result.
    """

    steps: int | None = None
    seconds: float | None = None


class Stopwatch:
    """Seconds of a training over all sessions, and the share of it that is done.

    Args:
        limit: Length of the training.
        before: Seconds of earlier sessions, and of this one before it began to train.
    """

    def __init__(self, limit: TuningLimit, before: float = 0.0) -> None:
        self._limit = limit
        self._before = before
        self._started = time.monotonic()
        # The last check has to end within the time.
        self.reserve = 0.0

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return self._before + time.monotonic() - self._started

    def share(self, steps: int) -> float:
        """Share of the whole that is done after so many steps; 1 is the end."""
        if self._limit.steps is not None:
            return min(steps / self._limit.steps, 1.0)
        assert self._limit.seconds is not None  # noqa: S101  # one of the two is given
        return min(self.seconds / max(self._limit.seconds - self.reserve, 1e-9), 1.0)

    def shown(self, steps: int) -> tuple[int, int]:
        """What a progress bar shows: steps or seconds done, and all."""
        if self._limit.steps is not None:
            return min(steps, self._limit.steps), self._limit.steps
        total = max(round(self._limit.seconds or 0), 1)
        return min(int(self.seconds), total), total
