"""Candidates in another process, and a device that fails there."""

import gc
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from device_double import FailingDevice
from networks import conv_net, images, rows, run, token_net

from autoq import collect
from autoq.calibration import as_inputs
from autoq.core import IN_F32, ConfigError, DeviceError, DeviceLostError, MetricError, Plan, RuntimePrecision
from autoq.evaluation.candidate import Evaluator
from autoq.evaluation.device import RuntimeConfig, model_outputs
from autoq.evaluation.isolation import DeviceProcess, IsolatedEvaluator
from autoq.evaluation.isolation._crossing import packed, unpacked
from autoq.evaluation.isolation._worker import _portable
from autoq.evaluation.metrics import resolve_metric
from autoq.evaluation.scoring import ValidationSet
from autoq.graph import Placements
from autoq.transform import CandidateBuilder

X = images(40)
Y = rows(conv_net(), X).argmax(axis=1)

# Of one that hangs; all others have as long as they need on a machine that is busy.
HANGING_S, TRIAL_S = 2, 60
LOCK = threading.Lock()
ROWS = (row for row in X)


def arguments(model, **changes):
    given = {"validation": ValidationSet.of(model, (X, Y)), "metric": resolve_metric("accuracy")}
    return given | {"runtime": RuntimeConfig(), "sample": {"image": X[:1]}, "max_latency_seconds": 0.05} | changes


def quantized(model):
    placements = Placements.of(model)
    inputs = as_inputs(model, X[:8])
    return CandidateBuilder(model, placements, collect(model, placements, inputs, subset_size=8), inputs).build(
        Plan.quantized()
    )


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    return FailingDevice(tmp_path_factory.mktemp("device"))


@pytest.fixture(scope="module")
def evaluator(device):
    model = conv_net()
    with IsolatedEvaluator(model, **arguments(model, metric=resolve_metric(device)), timeout_s=TRIAL_S) as made:
        yield made


@pytest.fixture(scope="module")
def candidate():
    return quantized(conv_net())


def pid_of(evaluator):
    return evaluator._process._process.pid


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def ended(pid):
    """Whether a process ends in the next seconds; one that nobody waits for counts too."""
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("made", [conv_net(), quantized(conv_net()), token_net()], ids=["float", "int8", "dynamic"])
def test_a_model_crosses_as_it_is(made, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made.set_rt_info("kept", ["autoq", "plan"])
    made.set_rt_info("0", ["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"])
    gc.collect()
    opened = open_files()
    with packed({"models": [made]}) as (message, files):
        (again,) = unpacked(message, [os.dup(file) for file in files])["models"]
    assert again.get_friendly_name() == made.get_friendly_name()
    assert again.get_rt_info(["autoq", "plan"]).astype(str) == "kept"
    assert again.get_rt_info(["runtime_options", "DYNAMIC_QUANTIZATION_GROUP_SIZE"]).astype(str) == "0"
    for before, after in zip(made.get_ordered_ops(), again.get_ordered_ops(), strict=True):
        assert (after.get_type_name(), after.get_friendly_name()) == (
            before.get_type_name(),
            before.get_friendly_name(),
        )
        for one, other in zip(before.outputs(), after.outputs(), strict=True):
            assert other.get_names() == one.get_names()
            assert other.get_partial_shape() == one.get_partial_shape()
            assert other.get_element_type() == one.get_element_type()
        if before.get_type_name() == "Constant":
            assert after.data.tobytes() == before.data.tobytes()
    feed = np.array([[1, 2, 3]]) if made.get_friendly_name() != "conv_net" else X[:1]
    np.testing.assert_array_equal(run(again, feed), run(made, feed))
    del again, after, other
    gc.collect()
    assert open_files() == opened
    assert not [path for path in tmp_path.rglob("*") if path.name != f"autoq-{os.getuid()}"]


def test_it_says_what_an_evaluator_says(evaluator, candidate):
    model = conv_net()
    here = Evaluator(model, **arguments(model))
    assert evaluator.float_accuracy.mean == here.float_accuracy.mean
    np.testing.assert_array_equal(evaluator.float_accuracy.scores, here.float_accuracy.scores)
    assert evaluator.float_latency.p50_ms > 0
    assert evaluator.float_seconds > 0
    expected, _ = here.evaluate(candidate, IN_F32)
    evaluation, seconds = evaluator.evaluate(candidate, IN_F32)
    assert evaluation.accuracy.drop == expected.accuracy.drop
    np.testing.assert_array_equal(evaluation.accuracy.scores, expected.accuracy.scores)
    executed = [
        [(layer.type, layer.precision, layer.kernel, len(layer.ops)) for layer in found.execution.layers]
        for found in (evaluation, expected)
    ]
    assert executed[0] == executed[1]
    assert evaluation.size_bytes == expected.size_bytes
    assert evaluation.runtime == expected.runtime
    assert set(seconds) == {"compile", "score", "time"}
    feeds = [{"image": X[n : n + 1]} for n in range(3)]
    exact = RuntimeConfig(inference_precision=RuntimePrecision.F32)
    np.testing.assert_array_equal(evaluator.outputs(candidate, feeds), model_outputs(candidate, feeds, exact))
    assert len(feeds) > len(evaluator.outputs(candidate, feeds, 0.0)) == 2


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        (["int8 compile raise"], "does not compile the model: the double does not like this model"),
        (["int8 compile raise another"], "does not compile the model: an argument that the double does not like"),
        (["int8 compile SIGSEGV"], "was killed by SIGSEGV while compiling the candidate"),
        (["int8 compile exit"], "ended with exit status 3 while compiling the candidate"),
        (["int8 compile hang in native code"], f"gave no answer for {HANGING_S} s while compiling the candidate"),
        (["int8 infer raise"], "inference fails while the model is timed: the double does not like this model"),
        (["int8 infer abort"], "was killed by SIGABRT while timing the candidate"),
        (["int8 compile ok", "int8 infer SIGKILL"], r"was killed by SIGKILL \(out of memory\?\) while scoring the"),
    ],
    ids=lambda given: ", ".join(given) if isinstance(given, list) else None,
)
def test_a_failure_of_the_device_is_that_of_the_candidate(evaluator, device, candidate, orders, message, monkeypatch):
    evaluator.evaluate(conv_net(), IN_F32)
    pid, scored = pid_of(evaluator), device.scored
    device.order(*orders)
    with monkeypatch.context() as patch, pytest.raises(DeviceError, match=message):  # noqa: PT012
        if "hang" in orders[0]:
            patch.setattr(evaluator, "_timeout_s", HANGING_S)
        evaluator.evaluate(candidate, IN_F32)
    of_candidate = device.scored - scored
    assert evaluator.evaluate(conv_net(), IN_F32)[0].accuracy.drop.value == 0
    # The float model was not scored again for the sake of a new process.
    assert device.scored - scored - of_candidate == len(X)
    assert (pid_of(evaluator) == pid) == ("raise" in orders[0])
    assert pid_of(evaluator) == pid or ended(pid)


def test_a_process_that_ends_between_candidates_costs_none(evaluator):
    pid = pid_of(evaluator)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert evaluator.evaluate(conv_net(), IN_F32)[0].accuracy.drop.value == 0


def test_a_device_that_is_lost_is_no_failure_of_a_candidate(evaluator, device, candidate):
    device.order("int8 compile SIGKILL", "float compile SIGSEGV")
    with pytest.raises(DeviceError, match="SIGKILL"):
        evaluator.evaluate(candidate, IN_F32)
    lost = "does not take the float model again: the device process was killed by SIGSEGV while compiling the float"
    with pytest.raises(DeviceLostError, match=lost):
        evaluator.evaluate(candidate, IN_F32)
    assert evaluator.evaluate(candidate, IN_F32)[0].execution.int8_layers > 0


def test_any_other_error_crosses_with_its_traceback(evaluator):
    with pytest.raises(AttributeError, match="nothing") as found:
        evaluator._ask("nothing")
    assert "in the device process:" in str(found.value.__cause__)
    assert "_worker.py" in str(found.value.__cause__)


def test_an_error_that_does_not_survive_pickling_says_what_it_said():
    class OddError(Exception):
        def __init__(self, one, two):
            super().__init__(one + two)

    assert repr(_portable(OddError("wrong", "!"))) == "RuntimeError('OddError: wrong!')"
    error = MetricError("it is what it is")
    assert _portable(error) is error


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation": [(X[:1], LOCK)]}, "validation cannot be sent to the device process: TypeError:"),
        ({"metric": None, "evaluate": lambda compiled, items: LOCK.locked()}, "evaluate cannot be sent"),
        ({"metric": resolve_metric(lambda outputs, target: next(ROWS))}, "metric cannot be sent"),
    ],
)
def test_what_cannot_be_sent_is_named(changes, message):
    model = conv_net()
    with pytest.raises(ConfigError, match=f"{message}.*isolate=False"):
        IsolatedEvaluator(model, **arguments(model, **changes))


def test_data_that_can_be_sent_one_by_one_alone_are_refused_in_a_sentence(monkeypatch):
    def no_memory(*_, **__):
        raise pickle.PicklingError("MemoryError")

    monkeypatch.setattr("autoq.evaluation.isolation._process.DeviceProcess.make", no_memory)
    model = conv_net()
    with pytest.raises(ConfigError, match=r"the search's data cannot be sent to the device process: MemoryError; "):
        IsolatedEvaluator(model, **arguments(model))


def test_what_cannot_be_loaded_is_said_and_the_metric_fails_as_it_does_here():
    model = conv_net()

    class Unloadable:
        def __reduce__(self):
            return int, ("no number",)

    with pytest.raises(ConfigError, match=r"cannot load an argument: ValueError: .*'no number'.*isolate=False"):
        IsolatedEvaluator(model, **arguments(model, validation=[Unloadable()]))

    def broken(outputs, target):
        return {}[target]

    gc.collect()  # what earlier tests left behind does not count
    opened = open_files()
    with pytest.raises(MetricError, match="metric 'broken' raised KeyError on samples from 0") as found:
        IsolatedEvaluator(model, **arguments(model, metric=resolve_metric(broken)))
    assert "in broken" in str(found.value.__cause__)
    del found
    gc.collect()
    assert open_files() == opened


# Without a guard for its main module; its metric hangs once the float model is scored.
SCRIPT = """
import os, signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts in the background ignore it
from networks import conv_net, images
from autoq.core import IN_F32
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.isolation import IsolatedEvaluator
from autoq.evaluation.metrics import resolve_metric
from autoq.evaluation.scoring import ValidationSet

print("the script runs", flush=True)
model, x = conv_net(), images(4)
calls = []

class Label:
    def __init__(self, value):
        self.value = value

def metric(outputs, target):
    calls.append(target.value)
    if len(calls) <= len(x):
        print("scores", target.value)
    else:
        print("hangs in", os.getpid())
        time.sleep(3600)
    return float(outputs[0].argmax() == target.value)

with IsolatedEvaluator(
    model,
    validation=ValidationSet.of(model, [(x[i : i + 1], Label(i)) for i in range(len(x))]),
    metric=resolve_metric(metric),
    runtime=RuntimeConfig(),
    sample={"image": x[:1]},
    max_latency_seconds=0.05,
) as evaluator:
    try:
        evaluator.evaluate(model, IN_F32)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def start_script(folder):
    script = folder / "script.py"
    script.write_text(SCRIPT)
    path = os.pathsep.join(str(Path(__file__).parents[n]) for n in (2, 3))
    return subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )


def pid_that_hangs(script):
    for line in script.stdout:
        if line.startswith("hangs in"):
            return int(line.split()[-1])
    pytest.fail(script.stderr.read())
    return 0


def test_a_hung_process_ends_with_its_parent(tmp_path):
    with start_script(tmp_path) as script:
        pid = pid_that_hangs(script)
        script.kill()
    assert ended(pid)


def test_what_a_script_defines_is_scored_with_once_and_ctrl_c_reaches_the_script_alone(tmp_path):
    with start_script(tmp_path) as script:
        lines = [script.stdout.readline().strip() for _ in range(5)]
        pid = pid_that_hangs(script)
        os.killpg(script.pid, signal.SIGINT)
        out, errors = script.communicate()
    assert lines == ["the script runs", *(f"scores {i}" for i in range(4))]
    assert (script.returncode, errors, out) == (0, "", "interrupted\n")
    assert ended(pid)


def test_held_out_data_are_scored_in_the_process():
    model = conv_net()
    candidate = quantized(model)
    given = arguments(model, holdout=ValidationSet.of(model, (X[:20], (1 + Y[:20]) % 3)))
    with IsolatedEvaluator(model, **given) as made:
        there = made.score_held_out(candidate, IN_F32)
    here = Evaluator(model, **given).score_held_out(candidate, IN_F32)
    assert there.n == here.n == 20
    assert there.drop == here.drop
    np.testing.assert_array_equal(there.scores, here.scores)


def test_a_process_that_was_started_in_advance_and_is_not_needed_ends():
    process = DeviceProcess()
    pid = process._process.pid
    process.close()
    assert ended(pid)


def test_a_process_that_was_started_in_advance_is_used():
    process = DeviceProcess()
    model = conv_net()
    with IsolatedEvaluator(model, **arguments(model), process=process) as made:
        assert pid_of(made) == process._process.pid
    assert ended(process._process.pid)


def test_after_the_end_of_a_search_a_candidate_has_as_long_as_the_longest_one_twice(tmp_path, candidate):
    device = FailingDevice(tmp_path)
    model = conv_net()
    with IsolatedEvaluator(model, **arguments(model, metric=resolve_metric(device)), ends=time.monotonic()) as made:
        longest_s = max(made.float_seconds, 2.0)
        device.order("int8 compile hang in native code")
        began = time.monotonic()
        with pytest.raises(DeviceError, match="gave no answer"):
            made.evaluate(candidate, IN_F32)
        assert time.monotonic() - began >= 2 * longest_s * 0.99
