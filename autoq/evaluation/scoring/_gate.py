"""The timer's check of itself, now and then during a search."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autoq.core import Estimate

logger = logging.getLogger(__name__)
# Number of measurements between two checks.
_EVERY = 8
_PAUSES_S = (0.5, 2.0)
# Two measurements of the same ratio may differ by this much beyond their intervals.
_TOLERANCE = 0.03


@dataclass(slots=True)
class TimerGate:
    """Times the baseline beside a copy of itself now and then: the ratio must be as it was at first.

    If it is not, the gate waits and tries again. If this fails too, all measurements until the next check are flagged.

    Attributes:
        measure: Times the copy beside the baseline, and gives the ratio of these two compilations.
        expected: The ratio at first.
        since: Number of measurements since the last check.
        disturbed: Whether the last check failed.
    """

    measure: Callable[[], Estimate]
    expected: Estimate
    since: int = 0
    disturbed: bool = False

    def check(self) -> bool:
        """Called before each measurement; gives whether the measurement may be trusted."""
        if self.since >= _EVERY or self.disturbed:
            self.since = 0
            self.disturbed = not self._passes()
        self.since += 1
        return not self.disturbed

    def _passes(self) -> bool:
        for pause in (0.0, *_PAUSES_S):
            time.sleep(pause)
            found = self.measure()
            if _agree(found, self.expected):
                return True
            logger.debug("the timer fails its check: %s, after %s at first", found, self.expected)
        return False


def _agree(one: Estimate, other: Estimate) -> bool:
    """Whether two ratios differ by no more than their intervals and a tolerance allow."""
    difference = abs(np.log(one.value / other.value))
    arms = [np.log(ratio.high / ratio.low) / 2 for ratio in (one, other)]
    return bool(difference <= np.hypot(*arms) + _TOLERANCE)
