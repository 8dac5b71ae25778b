"""The timer's check on itself, now and then during a search."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autoq.core import Estimate

# Measurements between two checks.
_EVERY = 8
_PAUSES_S = (0.5, 2.0)
# By how much two measurements of the same may differ beyond what their intervals say.
_TOLERANCE = 0.03


@dataclass(slots=True)
class TimerGate:
    """Times the baseline beside a copy of itself now and then: it must say what it said at first.

    Where it does not, it waits and tries again; if that is of no use, what is measured until the next check is flagged.

    Attributes:
        measure: Times the copy beside the baseline: the ratio of these two compilations.
        expected: What that was at first.
        since: Measurements since the last check.
        disturbed: Whether the last check failed.
    """

    measure: Callable[[], Estimate]
    expected: Estimate
    since: int = 0
    disturbed: bool = False

    def check(self) -> bool:
        """Called before each measurement; whether it may be trusted."""
        if self.since >= _EVERY or self.disturbed:
            self.since = 0
            self.disturbed = not self._passes()
        self.since += 1
        return not self.disturbed

    def _passes(self) -> bool:
        for pause in (0.0, *_PAUSES_S):
            time.sleep(pause)
            if _agree(self.measure(), self.expected):
                return True
        return False


def _agree(one: Estimate, other: Estimate) -> bool:
    """Whether two ratios differ by no more than their intervals and a tolerance allow."""
    difference = abs(np.log(one.value / other.value))
    arms = [np.log(ratio.high / ratio.low) / 2 for ratio in (one, other)]
    return bool(difference <= np.hypot(*arms) + _TOLERANCE)
