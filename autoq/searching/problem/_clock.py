"""The time of a search: each part asks the clock how much is left before it begins."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from autoq.searching.problem._ledger import Ledger, Spell
from autoq.searching.records import Part

# After this share of the time, the model in int8 should have been measured. The parts of preparation share what is left
# until then.
_FIRST_SHARE = 1 / 3
# A part of preparation gets at least this share of the whole time as its base, even if the search is late.
_LEAST = 0.2


@dataclass(frozen=True, slots=True)
class Clock:
    """The time of a search. It passes from the call on.

    Attributes:
        seconds: Seconds of the whole search; infinite without a limit.
        started: Moment of the call, as `now` gives it.
        now: Gives the present moment, in seconds.
        shortened: Sentences that say what there was no time for.
        ledger: Where the time goes.
    """

    seconds: float = math.inf
    started: float = 0.0
    now: Callable[[], float] = time.monotonic
    shortened: list[str] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)

    @classmethod
    def of(cls, timeout_s: float | None, started: float) -> Clock:
        """A clock for a search that began at a moment of `time.monotonic()`; `timeout_s` None is no limit."""
        return cls(math.inf if timeout_s is None else timeout_s, started)

    @property
    def is_limited(self) -> bool:
        """Whether the time ends."""
        return math.isfinite(self.seconds)

    @property
    def ends(self) -> float:
        """Moment when the time is up, as `now` gives it."""
        return self.started + self.seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left; below zero if the search is late, infinite without a limit."""
        return self.ends - self.now()

    def preparation_s(self, share: float) -> float:
        """Seconds for a part of preparation: this share of the rest of the first third of the time.

        On a busy machine little of it may be left. The part then gets this share of a fifth of the time.
        """
        left = self.started + _FIRST_SHARE * self.seconds - self.now()
        return share * max(left, _LEAST * self.seconds)

    def part(self, share: float, most: float = math.inf) -> float:
        """Seconds of a share of the time; 0 without a limit.

        Args:
            share: Share of the whole time.
            most: Most seconds.
        """
        return min(share * self.seconds, most) if self.is_limited else 0.0

    def shorten(self, what: str) -> None:
        """Notes what there was no time for, as a sentence."""
        if what not in self.shortened:
            self.shortened.append(what)

    def spent(self, part: Part, into: dict[str, float] | None = None) -> AbstractContextManager[Spell]:
        """A context whose seconds count to a part of the search, as `Ledger.spent` tells."""
        return self.ledger.spent(part, self.now, into)

    @property
    def spent_s(self) -> dict[str, float]:
        """Seconds since the call, by part, with those of earlier sessions; outside of all parts it is `Part.OTHER`."""
        moment, earlier = self.now(), self.ledger.earlier
        found = self.ledger.until(moment)
        found[Part.OTHER] = moment - self.started - sum(found.values())
        return {part: earlier.get(part, 0.0) + found.get(part, 0.0) for part in Part if part in {*earlier, *found}}
