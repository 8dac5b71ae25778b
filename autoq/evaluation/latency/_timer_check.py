"""What may be said of a speed: no more than the timer's own check bears out.

The check is a model timed beside itself, whose true ratio is 1: its interval says by how much the timer errs on this
machine, at this time.
"""

from __future__ import annotations

from autoq.core import Estimate
from autoq.evaluation.latency._latency_record import Latency

# Of a quiet machine, the timer errs by a few percent, and by some ten with the smallest models.
_BUSY = 0.15


def timer_error(check: Estimate) -> float:
    """By how much, as a share, a model may seem faster or slower than it is.

    Args:
        check: Latency ratio of a model to itself.
    """
    return max(check.high, 1 / check.low) - 1


def busy_note(check: Estimate) -> str | None:
    """What there is to say where the timer errs by much; None where it does not.

    Args:
        check: Latency ratio of a model to itself.
    """
    error = timer_error(check)
    if error <= _BUSY:
        return None
    return f"the machine is busy: the timer errs by up to {error:.0%}, as a model timed beside itself shows"


def shown_faster(latency: Latency, check: Estimate | None = None) -> bool | None:
    """Whether a model is shown to be faster than its baseline; False where it is shown to be slower, else None.

    Its interval has to lie beyond 1, and beyond the ratio that the check is off by, and the timer must not have failed
    while it was timed.

    Args:
        latency: Of the model.
        check: Latency ratio of a model to itself; None where there was no check.
    """
    off = 1.0 if check is None else max(check.low, 1 / check.high, 1.0)
    if latency.disturbed:
        return None
    if latency.speedup.low > off:
        return True
    return False if latency.ratio.low > off else None


def speed_text(latency: Latency, check: Estimate | None = None) -> str:
    """A speed in words: "1.95 [1.93, 1.97] times as fast as the float model", where that is shown.

    Args:
        latency: As in `shown_faster`, as is the other.
        check: Likewise.
    """
    speed = latency.speedup.shown(least=2)
    if shown_faster(latency, check) is None:
        why = ", while the timer failed its check" if latency.disturbed else ""
        return f"not shown to differ in speed from the float model (speed-up {speed}{why})"
    return f"{speed} times as fast as the float model"
