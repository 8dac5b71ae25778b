"""Signals end in order what runs: unless it must be carried through, at once."""

import ctypes
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from networks import conv_net, images

from autoq import _stopping
from autoq._stopping import HeldStack, Stopped, check, exit_code, held, is_command, stoppable

USUAL = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}


class SignalStack(ctypes.Structure):
    """`stack_t` of sigaltstack(2)."""

    _fields_ = (("address", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@pytest.fixture(autouse=True)
def own_stack():
    """Handlers of signals run on the stack of the thread.

    OpenVINO's CPU plugin sets another one for each core. Where two cores end in the order in which they were made, that
    of the first stays set although its memory is gone, and the next signal would end this process: of tests that ran
    before, some leave it so.
    """
    libc, before = ctypes.CDLL(None, use_errno=True), SignalStack()
    disabled = SignalStack(flags=2)  # SS_DISABLE
    assert libc.sigaltstack(ctypes.byref(disabled), ctypes.byref(before)) == 0
    yield
    libc.sigaltstack(ctypes.byref(before), None)


@pytest.fixture(autouse=True)
def ended(monkeypatch):
    """What would have ended this process, in its place."""
    found = []
    before = {number: signal.getsignal(number) for number in USUAL}
    for number, usual in USUAL.items():
        signal.signal(number, usual)
    monkeypatch.setattr(_stopping, "_end_by", lambda number: found.append(int(number)))
    monkeypatch.setattr(_stopping, "_leave", found.append)
    yield found
    for number, earlier in before.items():
        signal.signal(number, earlier)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_stops_a_command_and_tells_its_exit_code(number, code):
    with stoppable(command=True) as stopping:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert stopping.exit_code == exit_code() == code
        assert is_command()


def test_a_second_signal_ends_a_command_at_once_even_where_it_is_held(ended):
    with stoppable(command=True):
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with held(firmly=True):
            signal.raise_signal(signal.SIGINT)
            assert ended == [130]


def test_the_process_of_a_caller_ends_by_the_signal_after_what_was_to_be_done(ended):
    done = []
    with stoppable():
        try:
            signal.raise_signal(signal.SIGTERM)
        except Stopped:
            done.append("report")
        assert not is_command()
        assert not ended
    assert done == ["report"]
    assert ended == [signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in USUAL} == USUAL


def test_ctrl_c_ends_no_caller(ended):
    with pytest.raises(KeyboardInterrupt), stoppable():
        signal.raise_signal(signal.SIGINT)
    assert not ended


def test_what_is_held_is_carried_through():
    done = []
    with stoppable(), pytest.raises(KeyboardInterrupt):  # noqa: PT012  # it is about what follows in the block
        with held():
            with held():
                signal.raise_signal(signal.SIGINT)
                done.append("inner")
            done.append("outer")
        done.append("never")
    assert done == ["inner", "outer"]


def test_a_second_ctrl_c_waits_for_what_is_held_firmly_alone():
    done = []
    with stoppable(), pytest.raises(KeyboardInterrupt), held():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append("never")
    with stoppable(), pytest.raises(KeyboardInterrupt), HeldStack() as stack:
        stack.callback(lambda: [signal.raise_signal(signal.SIGINT) for _ in range(3)] and done.append("closed"))
    assert done == ["closed"]


def test_a_second_sigterm_ends_a_caller_at_once(ended):
    with stoppable(), held(firmly=True):
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        assert ended == [signal.SIGTERM]
        _stopping.stoppable._outermost._pending = None


def test_signals_that_others_take_care_of_stay_theirs():
    def mine(*_): ...

    signal.signal(signal.SIGTERM, mine)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stoppable(command=True):
        assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        with stoppable():
            inner = signal.getsignal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is inner is not signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is mine
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_another_thread_takes_care_of_no_signals():
    def work():
        with stoppable(), held():
            found.append(signal.getsignal(signal.SIGTERM))

    found = []
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]


def test_a_module_is_imported_to_its_end(tmp_path, monkeypatch):
    (tmp_path / "slow_to_import.py").write_text(
        "import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(0.1)\nwhole = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with stoppable(), pytest.raises(KeyboardInterrupt):  # noqa: PT012
        import slow_to_import

        assert slow_to_import.whole
        time.sleep(5)
        pytest.fail("nobody stopped it")
    assert sys.modules.pop("slow_to_import").whole


def test_what_is_searched_while_a_module_is_imported_can_be_stopped(tmp_path, monkeypatch):
    (tmp_path / "searches.py").write_text(
        "import signal\nfrom autoq._stopping import stoppable\n"
        "with stoppable():\n    signal.raise_signal(signal.SIGINT)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        __import__("searches")


def test_an_object_ends_before_what_runs_is_stopped():
    class Ending:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)
            done.append("ended")

    done = []
    with stoppable(), pytest.raises(KeyboardInterrupt):  # noqa: PT012
        Ending()
        time.sleep(5)
        pytest.fail("nobody stopped it")
    assert done == ["ended"]


def test_what_was_put_off_and_obeyed_is_not_told_again(ended):
    class Ending:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    with stoppable(command=True):
        with pytest.raises(Stopped), held():
            Ending()
        time.sleep(0.2)
    assert not ended


def test_a_stop_that_somebody_caught_is_asked_for_again():
    with stoppable():
        check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            check()


def test_what_is_written_to_a_terminal_that_is_gone_goes_nowhere():
    code = (
        "import os, signal, sys, time\nfrom autoq._stopping import stoppable\n"
        "with stoppable(command=True) as stopping:\n"
        "    try:\n        print('ready', flush=True)\n        while True: time.sleep(0.05)\n"
        "    except KeyboardInterrupt:\n        print('stopped', flush=True); sys.exit(stopping.exit_code)\n"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    told = b""
    while not told.endswith(b"\n"):  # a terminal passes a line on in parts
        told += os.read(ours, 100)
    assert told.strip() == b"ready"
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert process.wait(20) == 129


# --- processes -------------------------------------------------------------------------------------------------------

DATA = """
import numpy as np
from networks import conv_net, images, run
X = images(60, seed=2)
def calibration(): return images(16, seed=1)
def validation(): return X, run(conv_net(batch=60), X).argmax(axis=1)
"""
SCRIPT = """
import autoq, data

class Told:
    def on_stage(self, *_): ...
    def on_start(self, *_): ...
    def on_finish(self, *_): ...
    def on_trial(self, *_): print("trial", flush=True)

try:
    result = autoq.search("model.xml", calibration=data.calibration(), validation=data.validation(), metric="accuracy",
        space={"subset_sizes": 16, "sweep": 1}, n_trials=40, max_drop=0.3, out="run", tracking_uri="off",
        progress=False, observers=[Told()])
    print("returned", result.interrupted, len(result.records), flush=True)
finally:
    print("finally", flush=True)
"""


@pytest.fixture
def place(tmp_path):
    """A folder with a model, data, an experiment and a script."""
    import openvino as ov

    ov.save_model(conv_net(), tmp_path / "model.xml", compress_to_fp16=False)
    (tmp_path / "data.py").write_text(DATA)
    (tmp_path / "script.py").write_text(SCRIPT)
    experiment = {
        "model": "model.xml",
        "calibration": "data.py:calibration",
        "validation": "data.py:validation",
        "metric": "accuracy",
        "space": {"subset_sizes": 16, "sweep": 1},
        "budget": {"n_trials": 40},
        "tracking": {"uri": "off"},
        "max_drop": 0.3,
        "out": "run",
    }
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    assert images(1).size
    return tmp_path


def stopped(place, words, number, *, at):
    """Runs a process until it says something, and stops it: how it ended, and all that it said."""
    root = Path(__file__).parent
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(root.parent), str(root)])}
    process = subprocess.Popen(
        [sys.executable, *words], cwd=place, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said = ""
    for line in process.stdout:
        said += line
        if at in line and number is not None:
            process.send_signal(number)
            number = None
    return process.wait(60), said


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.parametrize("at", ["placing quantizers", "scoring and timing", "sensitivity", "trial   4"])
def test_a_command_is_stopped_in_any_phase(place, name, code, at):
    words = ["-m", "autoq", "search", "experiment.yaml"]
    status, said = stopped(place, words, getattr(signal, name), at=at)
    assert status == code, said
    assert "Traceback" not in said
    assert said.rstrip().splitlines()[-1] == f"Go on with: {sys.executable} -m autoq search experiment.yaml"
    assert not list(place.rglob(".*.draft"))
    if at == "trial   4":
        assert (place / "run" / "report.html").exists()
        assert (place / "run" / "best").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 0), ("SIGTERM", -signal.SIGTERM)])
def test_the_search_of_a_script_is_stopped_and_the_script_ends_as_it_would(place, name, status):
    found, said = stopped(place, ["script.py"], getattr(signal, name), at="trial")
    assert found == status, said
    assert "Traceback" not in said
    assert (place / "run" / "report.html").exists()
    if name == "SIGINT":
        assert "returned True" in said
        assert "finally" in said
    else:
        assert "returned" not in said
