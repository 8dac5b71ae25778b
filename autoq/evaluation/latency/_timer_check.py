"""Statements about a speed, which go no further than the timer's own check allows.

The check times a model beside itself. The true ratio is 1, so its interval shows the timer's error on this machine at
this time.
"""

from __future__ import annotations

from autoq.core import Estimate, shown_ms
from autoq.evaluation.latency._latency_record import Latency

# On a quiet machine, the timer errs by a few percent, and by about ten percent with the smallest models.
_BUSY = 0.15


def timer_error(check: Estimate) -> float:
    """The timer's error: the share by which a model may seem faster or slower than it is.

    Args:
        check: Latency ratio of a model to itself.
    """
    return max(check.high, 1 / check.low) - 1


def busy_note(check: Estimate) -> str | None:
    """A warning if the timer's error is large; otherwise None.

    Args:
        check: Latency ratio of a model to itself.
    """
    error = timer_error(check)
    if error <= _BUSY:
        return None
    return f"the machine is busy: the timer errs by up to {error:.0%}, as a model timed beside itself shows"


def shown_faster(latency: Latency, check: Estimate | None = None) -> bool | None:
    """Whether a model is shown to be faster than its baseline; False where it is shown to be slower, else None.

    Three conditions must hold: its interval lies beyond 1, it lies beyond the error of the check, and the timer did not
    fail its check meanwhile.

    Args:
        latency: Latency of the model.
        check: Latency ratio of a model to itself; None without a check.
    """
    off = 1.0 if check is None else max(check.low, 1 / check.high, 1.0)
    if latency.disturbed:
        return None
    if latency.speedup.low > off:
        return True
    return False if latency.ratio.low > off else None


def time_text(latency: Latency, *, of_float: bool = False) -> str:
    """A time in words: "12.1 ms", or "12.1 ms per token after 240 ms to the first one".

    Args:
        latency: Latency of a model.
        of_float: Whether the time of the float model beside it is told.
    """
    first, name = latency.first_token, "baseline_p50_ms" if of_float else "p50_ms"
    usual = shown_ms(getattr(latency, name))
    return usual if first is None else f"{usual} per token after {shown_ms(getattr(first, name))} to the first one"


def speed_text(latency: Latency, check: Estimate | None = None) -> str:
    """A speed in words: "1.95 [1.93, 1.97] times as fast as the float model", if the difference is shown.

    Args:
        latency: As in `shown_faster`.
        check: As in `shown_faster`.
    """
    speed = latency.speedup.shown(least=2)
    if shown_faster(latency, check) is None:
        why = ", while the timer failed its check" if latency.disturbed else ""
        return f"not shown to differ in speed from the float model (speed-up {speed}{why})"
    return f"{speed} times as fast as the float model"
