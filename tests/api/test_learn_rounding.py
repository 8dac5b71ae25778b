"""`autoq.learn_rounding` and `autoq round`, beside what OpenVINO and numpy compute of the models."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from networks import snapshot

import autoq
from autoq.cli import main
from autoq.core import ConfigError, DataError, ModelError

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

WIDTH = 16
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}


def network() -> ov.Model:
    """x -> seven layers that add to a stream."""
    ops, rng = ov.opset13, np.random.default_rng(8)
    x = ops.parameter([-1, WIDTH], np.float32, "x")
    x.output(0).tensor.set_names({"x"})
    value: ov.Node = x
    for layer in range(7):
        weight = ops.constant(rng.normal(0, 0.3, (WIDTH, WIDTH)).astype(np.float32))
        weight.set_friendly_name(f"weight_{layer}")
        value = ops.add(value, ops.relu(ops.matmul(value, weight, False, True)))
        value.set_friendly_name(f"sum_{layer}")
    return ov.Model([ops.result(value)], [x], "network")


def samples(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, WIDTH // 2)) @ np.eye(WIDTH // 2, WIDTH)).astype(np.float32)


def outputs(model: ov.Model, data: np.ndarray) -> np.ndarray:
    return np.array(ov.Core().compile_model(model, "CPU", EXACT)(data)[0])


@pytest.fixture(scope="module")
def models() -> tuple[ov.Model, ov.Model]:
    model = network()
    return autoq.compress_weights(
        model, mode="int4_sym", group_size=-1, all_layers=True, dataset=samples(64), progress=False
    ), model


@pytest.mark.filterwarnings("ignore:OpenVINO's CPU decompresses")
def test_other_inputs_too_come_nearer_to_the_float_model(models):
    small, model = models
    before = snapshot(small), snapshot(model)
    made = autoq.learn_rounding(small, samples(200), teacher=model, steps=300, progress=False)
    other = samples(300, seed=9)
    truth = outputs(model, other)
    ours, given = (np.square(outputs(one, other) - truth).sum() for one in (made, small))
    assert ours < 0.9 * given
    assert (snapshot(small), snapshot(model)) == before


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"steps": 0}, ConfigError, "steps"),
        ({"timeout_s": -1}, ConfigError, "timeout_s is -1"),
        ({"loss": "mse"}, ConfigError, "loss is 'mse'"),
        ({"batch_size": 300}, DataError, "at least 600"),
        ({"checkpoint": 3}, ConfigError, "checkpoint is 3"),
        ({"device": "moon"}, ConfigError, "device is 'moon'"),
    ],
)
def test_what_makes_no_sense_is_named(models, given, error, says):
    with pytest.raises(error, match=says):
        autoq.learn_rounding(models[0], samples(200), teacher=models[1], progress=False, **given)


def test_a_model_of_other_inputs_is_no_teacher(models):
    x = ov.opset13.parameter([1, 2], np.float32, "other")
    x.output(0).tensor.set_names({"other"})
    with pytest.raises(ModelError, match="teacher takes the inputs"):
        autoq.learn_rounding(models[0], samples(200), teacher=ov.Model([x], [x], "other"), progress=False)


def test_the_command_writes_what_the_function_gives(models, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, model in zip(("small", "model"), models, strict=True):
        ov.save_model(model, f"{name}.xml", compress_to_fp16=False)
    np.save("data.npy", samples(64))
    call = ["round", "small.xml", "--data", "data.npy", "--teacher", "model.xml", "-o", "made.xml", "--steps", "20"]
    call += ["--checkpoint", "kept"]
    for json_output in (True, False):
        monkeypatch.setattr(sys, "argv", ["autoq", *call, *["--json"] * json_output])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert not end.value.code, err
        if json_output:
            told = json.loads(out)["rounding"]
            assert told["improved"] == (told["best"] < told["start"])
            assert [block["steps"] for block in told["blocks"]] == [20] * len(told["blocks"])
        else:
            assert "held out: " in out
            assert out.splitlines()[-1].startswith("made.xml: ")
    assert Path("kept", "block-0.pt").exists()
    expected = autoq.learn_rounding("small.xml", samples(64), teacher="model.xml", steps=20, progress=False)
    found = ov.Core().read_model("made.xml")
    np.testing.assert_array_equal(outputs(found, samples(8)), outputs(expected, samples(8)))


def test_without_pytorch_an_error_names_the_extra():
    code = (
        "import sys\nsys.modules['torch'] = None\nimport autoq\n"
        "try: autoq.learn_rounding('a.xml', [], teacher='b.xml')\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "ConfigError autoq.learn_rounding needs PyTorch, which is not installed: pip install 'autoq[torch]'.\n"
    )
