"""The time of a search: whoever begins something asks it what is left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

# By then the model in int8 should have been measured; preparation shares what is left until then.
_FIRST_SHARE = 1 / 3
# What a part of preparation gets of its share of the whole time, even where that is late.
_LEAST = 0.2


@dataclass(frozen=True, slots=True)
class Clock:
    """What is left of the time of a search, which passes from the call on.

    Attributes:
        seconds: Of the whole search; infinite where nothing limits it.
        started: When it was called, a moment of `now`.
        now: Tells the moment, in seconds.
        shortened: What there was no time for, in sentences.
    """

    seconds: float = math.inf
    started: float = 0.0
    now: Callable[[], float] = time.monotonic
    shortened: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, timeout_s: float | None, started: float) -> Clock:
        """A clock of so many seconds, None without a limit, for what began at a moment of `time.monotonic()`."""
        return cls(math.inf if timeout_s is None else timeout_s, started)

    @property
    def is_limited(self) -> bool:
        """Whether the time ends."""
        return math.isfinite(self.seconds)

    @property
    def ends(self) -> float:
        """When the time is up, a moment of `now`."""
        return self.started + self.seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left; below zero where the search is late, infinite where nothing limits it."""
        return self.ends - self.now()

    def preparation_s(self, share: float) -> float:
        """Seconds for a part of preparation: this share of what is left of the first third of the time.

        Where a busy machine has left little of that, it is this share of a fifth of the time.
        """
        left = self.started + _FIRST_SHARE * self.seconds - self.now()
        return share * max(left, _LEAST * self.seconds)

    def part(self, share: float, most: float = math.inf) -> float:
        """So many seconds are this share of the time; none where nothing limits it.

        Args:
            share: Of the whole time.
            most: Seconds.
        """
        return min(share * self.seconds, most) if self.is_limited else 0.0

    def shorten(self, what: str) -> None:
        """Notes, in a sentence, what there was no time for."""
        if what not in self.shortened:
            self.shortened.append(what)
