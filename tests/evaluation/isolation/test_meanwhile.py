"""Work beside a device process: one piece after another, and none while something is timed there."""

import threading
import time

import pytest

from autoq.core import DeviceError
from autoq.evaluation.isolation import DeviceProcess, Meanwhile


def test_pieces_are_done_in_order_one_at_a_time_and_later_ones_too():
    meanwhile, done = Meanwhile(), []
    meanwhile.begin(*(lambda number=number: done.append(number) for number in range(20)))
    meanwhile.begin(lambda: done.append(20))
    meanwhile.wait()
    assert done == list(range(21))
    meanwhile.begin(lambda: done.append(threading.current_thread()))
    meanwhile.wait()
    assert done[-1] is not threading.main_thread()


def in_work():
    """The first of two pieces is in work; and what was done so far."""
    meanwhile, begun, done = Meanwhile(), threading.Event(), []

    def first():
        begun.set()
        time.sleep(0.05)
        done.append("first")

    meanwhile.begin(first, lambda: done.append("second"))
    begun.wait(5)
    return meanwhile, done


def test_while_something_is_timed_the_piece_in_work_ends_and_none_begins():
    meanwhile, done = in_work()
    meanwhile.quiet(True)
    assert done == ["first"]
    time.sleep(0.05)
    assert done == ["first"]
    meanwhile.quiet(False)
    meanwhile.wait()
    assert done == ["first", "second"]


def test_an_error_is_raised_once_where_something_waits_and_the_others_are_done():
    meanwhile, done = Meanwhile(), []
    meanwhile.begin(lambda: 1 / 0, lambda: done.append(1))
    with pytest.raises(ZeroDivisionError):
        meanwhile.wait()
    meanwhile.check()
    assert done == [1]


@pytest.mark.parametrize("is_timed", [False, True])
def test_once_it_is_closed_no_piece_is_begun(is_timed):
    meanwhile, done = in_work()
    if is_timed:
        meanwhile.quiet(True)
    meanwhile.close()
    meanwhile.wait()
    assert done == ["first"]


class Timer:
    """Times nothing for a while, and says when."""

    def __init__(self, stage, quiet):
        self._quiet = quiet

    def time(self):
        self._quiet(True)
        began = time.monotonic()
        time.sleep(0.2)
        ended = time.monotonic()
        self._quiet(False)
        time.sleep(0.05)
        return began, ended

    def die(self):
        import os

        self._quiet(True)
        os._exit(1)

    def wait(self):
        time.sleep(60)


@pytest.fixture
def process():
    made = DeviceProcess()
    made.make(Timer, {}, timeout_s=60)
    yield made
    made.close()
    made.meanwhile.close()


def test_a_process_that_is_dismissed_ends_while_other_things_are_done(process):
    process.dismiss()
    assert process._process.wait(60) == 0  # nobody has closed it
    process.dismiss()
    process.close()
    assert process._process.returncode == 0


def test_nothing_is_done_here_while_the_device_process_times_something(process):
    spans, enough = [], threading.Event()

    def work():
        began = time.monotonic()
        time.sleep(0.01)
        spans.append((began, time.monotonic()))
        # There is work however long the process takes to begin.
        if not enough.is_set():
            process.meanwhile.begin(work)

    process.meanwhile.begin(work)
    # It goes on before, between and after: however busy the machine is, waiting for it ends.
    while not spans:
        time.sleep(0.01)
    found = [process.call("time", timeout_s=60)]
    while spans[-1][0] < found[0][1]:
        time.sleep(0.01)
    found.append(process.call("time", timeout_s=60))
    enough.set()
    for began, ended in found:
        assert not [span for span in spans if span[0] < ended and span[1] > began]
    process.meanwhile.wait()
    # Where the process ends while it times something, the work goes on.
    with pytest.raises(DeviceError, match="ended with exit status 1"):
        process.call("die", timeout_s=60)
    done = []
    process.meanwhile.begin(lambda: done.append(1))
    process.meanwhile.wait()
    assert done == [1]


@pytest.mark.slow
def test_an_error_of_the_work_ends_a_call_that_would_go_on_for_long(process):
    process.meanwhile.begin(lambda: 1 / 0)
    began = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        process.call("wait", timeout_s=60)
    assert time.monotonic() - began < 30
