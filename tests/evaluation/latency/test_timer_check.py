"""What is said of a speed, by the timer's check on itself."""

from dataclasses import replace

import pytest
from records import evaluation

from autoq.core import Estimate
from autoq.evaluation.latency import busy_note, shown_faster, speed_text, timer_error

QUIET, WIDE, OFF = Estimate(1, 0.97, 1.03), Estimate(1.1, 0.4, 3.0), Estimate(1.4, 1.3, 1.5)


def latency(value, low, high, **changes):
    return replace(evaluation().latency, ratio=Estimate(value, low, high), **changes)


@pytest.mark.parametrize(
    ("measured", "check", "expected"),
    [
        (latency(0.5, 0.48, 0.52), QUIET, True),
        (latency(0.5, 0.48, 0.52), None, True),
        (latency(1.5, 1.4, 1.6), QUIET, False),
        (latency(1 / 1.71, 1 / 17.12, 1 / 0.17), WIDE, None),
        (latency(0.8, 0.75, 0.85), OFF, None),  # a model beside itself seems to differ by as much
        (latency(0.5, 0.48, 0.52), OFF, True),
        (latency(1.2, 1.15, 1.25), OFF, None),
        (latency(0.5, 0.48, 0.52, disturbed=True), QUIET, None),
    ],
)
def test_faster_is_what_the_check_bears_out(measured, check, expected):
    assert shown_faster(measured, check) is expected
    assert speed_text(measured, check).startswith("not shown to differ") is (expected is None)


def test_a_busy_machine_is_told():
    assert busy_note(QUIET) is None
    assert timer_error(WIDE) == pytest.approx(2.0)
    assert busy_note(WIDE) == (
        "the machine is busy: the timer errs by up to 200%, as a model timed beside itself shows"
    )
    assert "by up to 150%" in busy_note(Estimate(0.8, 0.4, 1.1))
