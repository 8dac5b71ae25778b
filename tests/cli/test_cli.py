"""The command line: what it prints, what it exits with, what it leaves on disk."""

import json
import os
import re
import subprocess
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import yaml
from networks import conv_net, images, memory_net, run, token_net
from openvino import opset13 as ops
from PIL import Image

from autoq import api
from autoq.api import RunFolder, SearchResult
from autoq.api.results._best_so_far import BestSoFar
from autoq.cli import main
from autoq.core import AutoqError, BudgetError
from autoq.graph import IgnoredScope
from autoq.searching.space import SearchSpace

DATA = """
import numpy as np
from networks import images, conv_net, run

X = images(60, seed=2)

def calibration():
    return images(16, seed=1)

def validation():
    return X, run(conv_net(batch=60), X).argmax(axis=1)

def logits():
    return X, run(conv_net(batch=60), X)

def nothing():
    return []

def broken():
    return X[:, :1]

def own(outputs, target):
    return float(outputs[0].argmax() == target)

def nan(outputs, target):
    return float("nan")

def validation_fn(compiled, items):
    x, y = items
    return float(np.mean([compiled(a[None])[0].argmax() == b for a, b in zip(x, y)]))

class Right:
    def reset(self):
        self.right = []

    def update(self, preds, target):
        self.right.extend(preds.argmax(-1) == target)

    def compute(self):
        return np.mean(self.right)

right = Right()

def raises(outputs, target):
    return outputs["logits"]
"""

EXPERIMENT = {
    "model": "model.xml",
    "calibration": "data.py:calibration",
    "validation": "data.py:validation",
    "metric": "accuracy",
    "space": {"subset_sizes": 16, "sweep": 1},
    "budget": {"n_trials": 3},
    "tracking": {"uri": "off"},
    "max_drop": 0.3,
    "out": "run",
}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a model, data and an experiment, to work in."""
    monkeypatch.chdir(tmp_path)
    ov.save_model(conv_net(), tmp_path / "model.xml", compress_to_fp16=False)
    ov.save_model(token_net(), tmp_path / "tokens.xml", compress_to_fp16=False)
    (tmp_path / "data.py").write_text(DATA)
    (tmp_path / "not_a_model.onnx").write_text("hello")
    (tmp_path / "taken").write_text("mine")
    np.save(tmp_path / "calibration.npy", images(8))
    np.save(tmp_path / "ids.npy", np.array([[1, 2, 3]]))
    np.save(tmp_path / "nan.npy", images(8) * np.nan)
    np.save(tmp_path / "narrow.npy", images(8)[..., :4])
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "empty.npy", images(8)[:0])
    return tmp_path


@pytest.fixture
def autoq(monkeypatch, capsys):
    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["autoq", *map(str, arguments)])
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        else:
            code = 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def experiment(place, **changes):
    (place / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT | changes))
    return "experiment.yaml"


def test_search_report_and_export(place, autoq):
    code, out, err = autoq("search", experiment(place), "-v")
    assert code == 0
    assert "Chosen: " in out
    assert re.search(r"Where the time went: [\d.]+ s", out)
    assert re.search(r"score float +│ +[\d.]+ +│ +[\d.]+% +│", out)
    assert "Model:  run/best/model.xml" in out
    assert "Pareto front" in err
    code, out, _ = autoq("report", "run", "--json")
    assert code == 0
    front = json.loads(out)["front"]
    (place / "run" / "report.html").unlink()
    code, out, _ = autoq("report", "run")
    assert "Pareto front" in out
    assert (place / "run" / "report.html").exists()
    code, out, _ = autoq("export", "run", "--trial", 0, "-o", "deep/int8.xml")
    assert code == 0
    assert "trial 0: drop" in out
    assert any(op.get_type_name() == "FakeQuantize" for op in ov.Core().read_model("deep/int8.xml").get_ops())
    (place / "config.json").write_text("{}")
    assert autoq("export", "run", "--trial", 0, "-o", "folder", "--layout", "optimum")[0] == 0
    assert {path.name for path in (place / "folder").iterdir()} >= {"config.json", "openvino_model.xml"}
    assert {record["number"] for record in front} <= {0, 1, 2}
    # The model that was searched is not written over.
    before = (place / "model.bin").read_bytes()
    code, _, err = autoq("export", "run", "--trial", 0, "-o", "model.xml")
    assert code == 2
    assert "'model.xml' is the same file as '" in err
    assert (place / "model.bin").read_bytes() == before
    # Of a run that was killed, the best so far is exported.
    result = SearchResult.load("run")
    BestSoFar(RunFolder(place / "run")).on_start(result.info, result.records)
    (place / "run" / "run.json").unlink()
    code, out, _ = autoq("export", "run", "-o", "so_far.xml")
    assert code == 0
    assert "so_far.xml: trial" in out
    assert ov.Core().read_model("so_far.xml").inputs
    # The same command again finds its budget spent, and says the same.
    code, out, _ = autoq("search", "experiment.yaml", "--json")
    assert code == 0
    assert json.loads(out)["trials"] == 3
    assert json.loads(out)["seconds"]["time float"] > 0


def test_options_hold_instead_of_what_the_file_says(place, autoq):
    options = ["--n-trials", 2, "--max-drop", "100%", "--max-latency", "1000%", "--max-size", "2 MB"]
    code, out, _ = autoq("search", experiment(place), *options, "--choose", "size,latency", "--out", "other", "--json")
    assert code == 0
    assert json.loads(out)["folder"] == "other"
    info = SearchResult.load("other").info
    assert (info.n_trials, info.timeout_s, info.choose) == (2, None, ("size", "latency"))
    assert info.limits.max_drop == info.float_accuracy.mean
    assert info.limits.max_latency_ms == pytest.approx(10 * info.float_latency.baseline_p50_ms)
    assert info.limits.max_size_bytes == 2e6
    assert not (place / "run").exists()
    code, _, err = autoq("search", "experiment.yaml", "--choose", "size,speed")
    assert code == 2
    assert "choose is ['size', 'speed']: write" in err


def test_profile(place, autoq):
    code, out, _ = autoq("profile", "model.xml", "--set", "inference_precision=f32", "--top", 2)
    assert code == 0
    assert "the model is float" in " ".join(re.findall(r"[\w:]+", out))
    assert re.search(r"\d more layers take [\d.]+ ms: --top shows more", out)
    assert re.search(r"layers [\d.]+ ms \(0.000 in int8\), .* residual [+-][\d.]+ ms", out)
    code, out, _ = autoq("profile", "tokens.xml", "--sample", "ids.npy", "--set", "num_threads=1", "--json")
    assert code == 0
    said = json.loads(out)
    assert said["wall_ms"] == pytest.approx(said["kernels_ms"] + said["residual_ms"])
    assert said["runtime"]["INFERENCE_NUM_THREADS"] == "1"
    (layer,) = [layer for layer in said["layers"] if "up" in layer["ops"]]
    assert layer["group"] == "up"
    assert layer["why_not_int8"].startswith("the model is float")


def test_quantize(place, autoq):
    code, out, _ = autoq(
        "quantize", "model.xml", "--calibration", "calibration.npy", "-o", "int8.xml", "--ignore", "head", "--json"
    )
    assert code == 0
    said = json.loads(out)
    assert said["size_bytes"] < said["float_size_bytes"]
    names = {op.get_friendly_name() for op in ov.Core().read_model("int8.xml").get_ops()}
    assert "image/fq_output_0" in names
    assert not any(name.startswith("head/fq") for name in names)


@pytest.mark.parametrize("out", ["model.xml", "./model.xml", "link.xml", "same.xml"])
def test_what_is_read_is_not_written_over(place, autoq, monkeypatch, out):
    Path("link.xml").symlink_to("model.xml")
    Path("same.bin").hardlink_to("model.bin")
    monkeypatch.setattr("autoq.graph.read_model", lambda *_: pytest.fail("refused after some work"))
    before = {name: (place / name).read_bytes() for name in ("model.xml", "model.bin")}
    code, _, err = autoq("quantize", "model.xml", "--calibration", "calibration.npy", "-o", out)
    assert code == 2
    assert re.fullmatch(r"error: '.*' is (read|the same file as 'model\..*) and would be written over; name .*\n", err)
    assert before == {name: (place / name).read_bytes() for name in before}


def test_photos_and_runs_are_not_written_over(place, autoq):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save("photo.png")
    for data in ("photo.png", "{images: '*.png', scale: 255}"):
        code, _, err = autoq("sensitivity", "model.xml", "--calibration", data, "-o", "photo.png")
        assert (code, "'photo.png' is read and would be written over" in err) == (2, True)
    Path("run/best").mkdir(parents=True)
    for name in ("model.xml", "model.bin"):
        Path(name).rename(Path("run/best") / name)
    code, _, err = autoq("search", experiment(place, model="run/best/model.xml"))
    assert (code, "best' holds '" in err) == (2, True)
    assert Path("run/best/model.bin").exists()


def test_quantize_and_evaluate_on_a_folder_of_images(place, autoq):
    for name in ("a/0.png", "b/0.png", "b/1.png"):
        Path("photos", name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)).save(
            Path("photos", name)
        )
    data = "{images: photos, mean: [127, 127, 127], scale: 127}"
    code, out, _ = autoq("quantize", "model.xml", "--calibration", data, "-o", "int8.xml")
    assert code == 0
    assert "calibrated on 3 samples: the data hold no more" in out
    code, out, _ = autoq("quantize", "model.xml", "--calibration", data, "-o", "int8.xml", "--json")
    assert json.loads(out)["calibration_samples"] == 3
    code, out, _ = autoq("evaluate", "int8.xml", "--validation", data, "--metric", "accuracy", "--json")
    assert (code, json.loads(out)["n"]) == (0, 3)


def test_quantize_with_other_schemes_and_on_a_budget(place, autoq):
    given = ("quantize", "model.xml", "--calibration", "calibration.npy", "-o", "m.xml")
    code, _, _ = autoq(*given, "--activations", "bits=16", "--activations", "symmetric=false", "--weights", "bits=4")
    assert code == 0
    fakes = [op for op in ov.Core().read_model("m.xml").get_ops() if op.get_type_name() == "FakeQuantize"]
    assert {op.get_attributes()["levels"] for op in fakes} == {2**16}
    code, _, _ = autoq(*given, "--mode", "fp8_e4m3")
    assert code == 0
    assert any(op.get_type_name() == "FakeConvert" for op in ov.Core().read_model("m.xml").get_ops())
    budget = ("--max-drop", "10%", "--validation", "data.py:validation", "--metric", "data.py:own")
    code, out, _ = autoq(*given, *budget, "--json")
    assert code == 0
    assert json.loads(out)["drop"] <= 0.1
    code, _, err = autoq(*given, "--max-drop", "1%")
    assert code == 2
    assert "--max-drop needs --validation" in err
    code, _, err = autoq(*given, "--weights", "4")
    assert code == 2
    assert "--weights is '4': write KEY=VALUE" in err


def test_benchmark(place, autoq):
    code, out, _ = autoq("benchmark", "model.xml", "--seconds", 0.2)
    assert code == 0
    assert "executed layers: " in out
    code, out, _ = autoq("benchmark", "model.xml", "--against", "model.xml", "--seconds", 0.2, "--json")
    assert code == 0
    assert json.loads(out)["ratio"]["low"] <= json.loads(out)["ratio"]["high"]
    code, out, _ = autoq("benchmark", "model.xml", "--against-set", "num_threads=1", "--seconds", 0.2)
    assert code == 0
    code, _, err = autoq("benchmark", "model.xml", "--against-set", "threads=1", "--seconds", 0.2)
    assert code != 0
    assert "runtime key 'threads' is unknown" in err


def test_evaluate(place, autoq):
    code, out, _ = autoq("evaluate", "model.xml", "--validation", "data.py:validation", "--metric", "data.py:own")
    assert code == 0
    assert "1.0000" in out
    assert "on 60 samples" in out
    data = ("--validation", "data.py:validation", "--metric", "data.py:own", "--json")
    code, out, _ = autoq("evaluate", "model.xml", "--against", "model.xml", *data)
    assert code == 0
    assert json.loads(out)["drop"]["value"] == 0
    assert "no difference can be shown" in json.loads(out)["verdict"]


@pytest.mark.parametrize("metric", ["data.py:right", "f1_macro", "balanced_accuracy"])
def test_evaluate_takes_any_kind_of_metric(place, autoq, metric):
    code, out, _ = autoq("evaluate", "model.xml", "--validation", "data.py:validation", "--metric", metric, "--json")
    assert code == 0
    said = json.loads(out)
    assert said["n"] == 60
    assert said["score"]["low"] <= said["score"]["value"] == pytest.approx(1, abs=0.1)


def test_evaluate_by_a_function(place, autoq):
    given = ("evaluate", "model.xml", "--validation", "data.py:validation", "--evaluate", "data.py:validation_fn")
    code, out, _ = autoq(*given)
    assert code == 0
    assert "(interval unknown)" in out
    code, out, _ = autoq(*given, "--against", "model.xml", "--json")
    assert json.loads(out)["drop"] == {"value": 0.0, "low": None, "high": None, "confidence": 0.95}
    code, _, err = autoq(*given[:4])
    assert code == 2
    assert "pass either metric" in err


def test_sensitivity(place, autoq):
    given = ("sensitivity", "model.xml", "--calibration", "calibration.npy")
    code, out, _ = autoq(*given, "--top", 2, "--gains")
    assert code == 0
    assert "Sensitivity of model.xml" in out
    assert "conv_1" in out
    assert re.search(r"[1-9] more units: --top shows more", out)
    assert re.search(r"\d units, nmse of all of them quantized [\d.e-]+, \d+ inferences", out)
    code, out, _ = autoq(*given, "--measure", "cosine", "--samples", 2, "--preset", "mixed", "--json")
    assert code == 0
    said = json.loads(out)
    expected = api.sensitivity("model.xml", images(8), measure="cosine", samples=2, preset="mixed", progress=False)
    assert said == json.loads(json.dumps(expected.to_dict()))
    assert said["measure"] == "cosine"
    code, out, _ = autoq(*given, "--also", "int8_weights", "--also", "fp8_e5m2", "--json")
    assert {tuple(unit["others"]) for unit in json.loads(out)["units"]} == {("int8_weights", "fp8_e5m2")}
    code, out, _ = autoq(*given, "--level", "model", "--json")
    (unit,) = json.loads(out)["units"]
    assert (unit["unit"], unit["share"]) == ("*", pytest.approx(1))


def test_the_scope_that_sensitivity_writes_is_what_quantize_and_a_space_take(place, autoq):
    given = ("--calibration", "calibration.npy", "--ignore", "head")
    code, out, _ = autoq("sensitivity", "model.xml", *given, "--ignored-scope", "deep/scope.yaml", "--count", 2)
    assert code == 0
    assert re.search(r"deep/scope.yaml: 2 of \d+ units in float; predicted to leave [\d.]+% of the dist", out)
    found = api.sensitivity("model.xml", images(8), ignored_scope=IgnoredScope(names=["head"]), progress=False)
    ops = [op for unit in found.units[:2] for op in unit.ops]
    scopes = SearchSpace.load("deep/scope.yaml").scopes()
    assert scopes == {"none": None, "sensitive": IgnoredScope(names=["head", *ops])}
    pasted = yaml.safe_load((place / "deep/scope.yaml").read_text()) | {"subset_sizes": 8}
    assert SearchSpace.load(pasted).scopes() == scopes
    code, _, _ = autoq("quantize", "model.xml", *given[:2], "--ignored-scope", "deep/scope.yaml", "-o", "int8.xml")
    assert code == 0
    expected = api.quantize("model.xml", images(8), ignored_scope=scopes["sensitive"])

    def quantizers(model):
        return {op.get_friendly_name() for op in model.get_ops() if op.get_type_name() == "FakeQuantize"}

    assert quantizers(ov.Core().read_model("int8.xml")) == quantizers(expected)
    code, out, _ = autoq("sensitivity", "model.xml", *given, "--ignored-scope", "s.yaml", "--keep-share", 0.2, "--json")
    assert code == 0
    said = json.loads(out)["ignored_scope"]
    assert said["path"] == "s.yaml"
    assert said["left"] <= 0.2
    assert said["units"] == [unit.unit for unit in found.units[: len(said["units"])]]
    ops = [op for unit in found.units[: len(said["units"])] for op in unit.ops]
    assert SearchSpace.load("s.yaml").scopes()["sensitive"].names == ("head", *ops)


def test_sensitivity_leaves_pictures(place, autoq):
    given = ("sensitivity", "model.xml", "--calibration", "calibration.npy")
    code, out, _ = autoq(*given, "--out", "new/picture.svg")
    assert code == 0
    assert "new/picture.svg: the picture" in out
    assert "<svg" in (place / "new/picture.svg").read_text()
    code, out, _ = autoq(*given, "--out", "folder", "--json")
    assert code == 0
    assert json.loads(out)["picture"] == "folder/sensitivity.png"
    assert (place / "folder/sensitivity.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((place / "folder/sensitivity.json").read_text()) == json.loads(out)
    assert not list(place.rglob("*.draft"))


def test_sites_say_why(place, autoq):
    code, out, _ = autoq("sites", "model.xml")
    assert code == 0
    assert "only moves values" in out or "has no int8 kernel" in out or "runs fused into" in out
    code, out, _ = autoq("sites", "model.xml", "--json")
    said = json.loads(out)
    assert {group["name"] for group in said["groups"]} >= {"conv_1", "conv_2"}
    assert all(decision["reason"] for decision in said["operations"])


def test_sites_show_the_channels_that_can_go(place, autoq):
    code, out, _ = autoq("sites", "model.xml", "--channels")
    assert code == 0
    assert "depthwise, conv_2" in out
    assert "3 stay: output" in out
    assert "1 groups of channels that can go, 0 of them as a whole" in out
    said = json.loads(autoq("sites", "model.xml", "--channels", "--json")[1])
    assert [(group["name"], group["channels"]) for group in said["groups"]] == [("conv_1", 4)]
    assert [fixed["name"] for fixed in said["fixed"]] == ["head"]


def test_sites_show_what_is_inside_of_operations(place, autoq):
    x = ops.parameter([2, 8], np.float32, "x")
    state, weight = ops.parameter([2, 8], np.float32), np.eye(8, dtype=np.float32)
    step = ops.matmul(state, weight, False, False)
    step.set_friendly_name("step")
    loop = ops.loop(ops.constant(np.int64(3)), ops.constant(np.array(True)))
    loop.set_friendly_name("again")
    loop.set_function(ov.Model([ops.constant(np.array(True)), step], [state], "body"))
    loop.set_special_body_ports([-1, 0])
    loop.set_merged_input(state, x.output(0), step.output(0))
    ov.save_model(ov.Model([loop.get_iter_value(step.output(0), -1)], [x], "loops"), place / "loops.xml")
    code, out, _ = autoq("sites", "loops.xml")
    assert code == 0
    assert "again body: step" in out
    assert "1 groups, 1 activation and 1 weight quantizers" in out
    said = json.loads(autoq("sites", "loops.xml", "--json")[1])
    assert [group["name"] for group in said["groups"]] == ["again"]
    assert [(body["op"], body["branch"]) for body in said["bodies"]] == [("again", 0)]
    assert {site["name"] for site in said["bodies"][0]["sites"]} >= {"step/fq_weights_1"}


def test_steps_of_a_sequence_keep_the_state(place, autoq):
    model, data = memory_net(), np.random.default_rng(0).normal(0, 1, (20, 1, 8)).astype(np.float32)
    ov.save_model(model, place / "memory.xml", compress_to_fp16=False)
    request = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    np.savez(place / "steps.npz", x=data[:, 0], y=np.array([request.infer(x)[0][0] for x in data]))
    np.save(place / "steps.npy", data[:, 0])
    given = ("evaluate", "memory.xml", "--validation", "steps.npz", "--metric", "negative_mse", "--precision", "f32")
    scores = {}
    for habit in ("sample", "never"):
        code, out, _ = autoq(*given, "--reset-state", habit, "--json")
        assert code == 0
        scores[habit] = json.loads(out)["score"]["value"]
    assert scores["never"] == pytest.approx(0, abs=1e-6)
    assert scores["sample"] < -1
    quantize = ("quantize", "memory.xml", "--calibration", "steps.npy", "-o", "m.xml", "--reset-state")
    assert autoq(*quantize, "never", "--strict")[0] == 0
    code, _, err = autoq(*quantize, "always")
    assert code == 2
    assert "reset state 'always' is unknown: known: never, sample." in err


def test_sites_show_the_units_of_a_level(place, autoq):
    code, out, _ = autoq("sites", "model.xml", "--level", "BLOCK", "--json")
    assert code == 0
    said = json.loads(out)
    assert said["level"] == "block"
    assert said["units"]["depthwise"] == ["depthwise", "conv_2"]
    groups = [group["name"] for group in said["groups"]]
    assert [name for unit in said["units"].values() for name in unit] == groups
    code, out, _ = autoq("sites", "model.xml", "--level", "block")
    assert "depthwise, conv_2" in out
    assert f"{len(said['units'])} units of {len(groups)} groups" in out
    code, _, err = autoq("sites", "model.xml", "--level", "layer")
    assert code == 2
    assert "level 'layer' is unknown: known: block, group, model, prefix, type." in err


def test_init_writes_what_search_reads(place, autoq):
    from autoq.config import ExperimentConfig

    code, _, _ = autoq("init", "mine")
    assert code == 0
    assert ExperimentConfig.load(place / "mine" / "experiment.yaml").metric == "accuracy"
    # It is searched from another folder, as `init` says.
    for name, array in (("calibration", images(8)), ("x", images(20)), ("y", np.zeros(20, int))):
        np.save(place / "mine" / f"{name}.npy", array)
    found = ExperimentConfig.load(place / "mine" / "experiment.yaml").search_arguments()
    np.testing.assert_array_equal(found["calibration"], images(8))
    assert [len(part) for part in found["validation"]] == [20, 20]
    code, _, err = autoq("init", "mine")
    assert code == 2
    assert "exists and is left as it is" in err


def changed(key, value):
    return lambda place: ("search", experiment(place, **{key: value}))


def quantized(*arguments, model="model.xml", calibration="calibration.npy", out="int8.xml"):
    return lambda place: ("quantize", model, "--calibration", calibration, "-o", out, *arguments)


def sensitive(*arguments):
    return lambda place: ("sensitivity", "model.xml", "--calibration", "calibration.npy", *arguments)


BAD = {
    "model that is not there": (changed("model", "absent.xml"), "'.*absent.xml'"),
    "model that does not read": (quantized(model="not_a_model.onnx"), "'not_a_model.onnx'"),
    "model of an unknown kind": (quantized(model="data.py"), "'data.py'"),
    "empty calibration": (changed("calibration", "data.py:nothing"), "calibration data are empty"),
    "empty calibration array": (quantized(calibration="empty.npy"), "calibration data are empty"),
    "mis-shaped calibration": (
        quantized(calibration="narrow.npy"),
        r"shape \[3, 8, 4\], but the model takes \[1,3,8,8\]",
    ),
    "calibration of the wrong type": (quantized(calibration="words.npy"), "calibration sample 0: .*image"),
    "calibration with NaN": (quantized(calibration="nan.npy"), "calibration sample 0: input 'image' holds NaN"),
    "calibration file that is not there": (quantized(calibration="absent.npy"), "'absent.npy' cannot be read"),
    "metric that raises": (changed("metric", "data.py:raises"), "metric 'raises' raised TypeError"),
    "metric that is NaN": (changed("metric", "data.py:nan"), "metric 'nan' returned nan on sample 0"),
    "unknown metric": (changed("metric", "acuracy"), "metric 'acuracy' is unknown: did you mean 'accuracy'"),
    "unknown device": (changed("device", "TPU"), "device 'TPU' is not there: available are CPU"),
    "unknown layer": (quantized("--ignore", "haed"), "'haed'.*did you mean 'head'"),
    "unknown type": (quantized("--ignore-type", "Convolutoin"), "'Convolutoin'.*did you mean 'Convolution'"),
    "broken pattern": (quantized("--ignore-pattern", "("), r"'\('"),
    "unknown preset": (quantized("--preset", "mixd"), "preset 'mixd' is unknown: did you mean 'mixed'"),
    "unknown preset in a space": (changed("space", {"presets": ["mixd"]}), "'mixd'.*mixed"),
    "unknown space": (changed("space", "cn"), "'cn'.*did you mean 'cnn'"),
    "unknown key": (changed("metrics", "accuracy"), "key 'metrics' is unknown: did you mean 'metric'"),
    "unknown key in a space": (changed("space", {"preset": "mixed"}), "'preset' is unknown: did you mean 'presets'"),
    "output that is a file": (changed("out", "taken"), "output folder 'taken' cannot be made"),
    "output under a file": (quantized(out="taken/m.xml"), "folder 'taken' cannot be made"),
    "output that is no model": (quantized(out="m.onnx"), "must end in .xml"),
    "unknown measure": (sensitive("--measure", "nsme"), "measure 'nsme' is unknown: did you mean 'nmse'"),
    "share with nowhere to write": (sensitive("--keep-share", "0.5"), "--keep-share needs --ignored-scope"),
    "share and count": (
        sensitive("--keep-share", "0.5", "--count", "1", "--ignored-scope", "s.yaml"),
        "pass --keep-share or --count, not both",
    ),
    "share that is none": (
        sensitive("--keep-share", "2", "--ignored-scope", "s.yaml"),
        "--keep-share.*2.*is not in the range",
    ),
    "too many units": (sensitive("--count", "99", "--ignored-scope", "s.yaml"), "count is 99: the model has"),
    "scope that is no YAML": (sensitive("--ignored-scope", "scope.txt"), "'scope.txt' must end in .yaml or .yml"),
    "picture of an unknown kind": (sensitive("-o", "m.bmp"), "'m.bmp' must end in .png or .svg or .pdf"),
    "picture under a file": (sensitive("-o", "taken/m.png"), "folder 'taken' cannot be made"),
    "scope file that is not there": (quantized("--ignored-scope", "absent.yaml"), "'absent.yaml' cannot be read"),
    "scope file without a scope": (quantized("--ignored-scope", "quick"), "'quick' holds 0 ignored scopes"),
    "budget that nothing meets": (
        lambda place: (
            "search",
            # In bf16 the float model keeps no such budget, and is then a candidate in f32.
            experiment(
                place,
                validation="data.py:logits",
                metric="negative_mse",
                max_drop=0,
                runtime={"properties": {"INFERENCE_PRECISION_HINT": "f32"}},
            ),
        ),
        r"no quantized candidate meets max_drop = 0\.0: the closest is trial \d+ with a drop of",
    ),
    "dynamic shape without a sample": (lambda place: ("benchmark", "tokens.xml"), "pass a sample to time with"),
    "profile of a dynamic shape": (lambda place: ("profile", "tokens.xml"), "pass a sample to time with"),
    "setting that is no pair": (lambda place: ("profile", "model.xml", "--set", "fast"), "--set is 'fast': write KEY="),
    "unknown setting": (lambda place: ("profile", "model.xml", "--set", "threads=1"), "'threads' is unknown"),
    "folder without a search": (lambda place: ("report", "."), "'.' holds no search"),
    "option that is not there": (lambda place: ("search", "e.yaml", "--trials", "3"), "No such option"),
    "experiment that is not there": (lambda place: ("search", "absent.yaml"), "'absent.yaml' cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence_and_status_2(name, place, autoq):
    arguments, message = BAD[name]
    words = arguments(place)
    before = {file: file.read_bytes() for file in place.iterdir() if file.is_file()}
    code, _, err = autoq(*words)
    assert code == 2
    assert "Traceback" not in err
    last = err.strip().splitlines()[-1]
    assert last.lower().startswith("error: ")
    assert re.search(message, last), last
    # Nothing of the user's is changed, and no model is half written.
    after = {file: file.read_bytes() for file in place.iterdir() if file.is_file()}
    assert after == before
    assert not list(place.rglob("*.draft"))
    assert not (place / "int8.xml").exists()
    assert not (place / "run" / "best").exists()


def test_ctrl_c_before_the_search_begins(place, autoq, monkeypatch):
    def interrupt(*arguments, **settings):
        raise KeyboardInterrupt

    experiment(place)
    monkeypatch.setattr("autoq.api.search", interrupt)
    code, _, err = autoq("search", "experiment.yaml")
    assert code == 130
    assert err.strip().startswith("stopped.\nNothing was kept yet. Start again with: ")
    assert err.endswith("\n")
    (place / "run" / "cache" / "statistics.npz").write_bytes(b"kept")
    assert autoq("search", "experiment.yaml")[2].strip().startswith("stopped.\nGo on with: ")
    # The file is not read yet: nobody knows where the search would be kept.
    monkeypatch.setattr("autoq.config.ExperimentConfig.load", interrupt)
    assert autoq("search", "experiment.yaml")[2].strip().startswith("stopped.\nNothing was kept yet. Start again")


def test_ctrl_c_where_nothing_is_kept(place, autoq, monkeypatch):
    class Result:
        interrupted = True

        @property
        def best(self):
            raise BudgetError("no quantized candidate meets max_drop = 0.01.")

    experiment(place, out=None)
    monkeypatch.setattr("autoq.api.search", lambda *arguments, **settings: Result())
    code, _, err = autoq("search", "experiment.yaml")
    assert (code, err.splitlines()[1:]) == (130, ["Nothing was kept: --out names a folder that a search goes on in."])
    experiment(place, out=None, storage="sqlite:///elsewhere.db")
    assert autoq("search", "experiment.yaml")[2].splitlines()[1].startswith("Go on with: ")


def test_ctrl_c_before_a_model_meets_the_budget(place, autoq, monkeypatch):
    class Result:
        interrupted = True

        @property
        def best(self):
            raise BudgetError("no quantized candidate meets max_drop = 0.01.")

    experiment(place)
    (place / "run").mkdir()
    (place / "run" / "study.db").write_bytes(b"kept")
    monkeypatch.setattr("autoq.api.search", lambda *arguments, **settings: Result())
    code, _, err = autoq("search", "experiment.yaml")
    assert code == 130
    assert err.startswith("No quantized candidate meets max_drop = 0.01.\nGo on with: ")


def test_a_quantized_model_says_what_it_computes(place, autoq):
    autoq("quantize", "model.xml", "--calibration", "calibration.npy", "-o", "int8.xml")
    x = images(1)
    np.testing.assert_allclose(run(ov.Core().read_model("int8.xml"), x), run(conv_net(), x), atol=0.5)


def test_an_error_nobody_foresaw_is_one_sentence_that_names_where_it_arose(place, autoq, monkeypatch):
    def fail(*arguments, **settings):
        raise KeyError("weights\nand more")

    experiment(place)
    monkeypatch.setattr("autoq.api.search", fail)
    code, _, err = autoq("search", "experiment.yaml")
    assert code == 1
    assert err == "error: KeyError: 'weights\\nand more'; the traceback is in 'run/error.txt'.\n"
    assert "in fail" in (place / "run" / "error.txt").read_text()
    monkeypatch.setattr("autoq.api.evaluate", lambda *_, **__: next(iter(())))
    code, _, err = autoq("evaluate", "model.xml", "--validation", "data.py:validation", "--metric", "accuracy")
    assert code == 1
    found = re.fullmatch(r"error: StopIteration; the traceback is in '(.*)'\.\n", err)
    assert "StopIteration" in Path(found[1]).read_text()
    Path(found[1]).unlink()


def test_an_error_without_words_has_some(place, autoq, monkeypatch):
    def fail(*arguments, **settings):
        raise AutoqError

    monkeypatch.setattr("autoq.api.evaluate", fail)
    code, _, err = autoq("evaluate", "model.xml", "--validation", "data.py:validation", "--metric", "accuracy")
    assert (code, err) == (2, "error: AutoqError\n")


@contextmanager
def printed_warnings():
    """Warnings go where they go outside of pytest."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, category, *where: sys.stderr.write(
            warnings.formatwarning(message, category, *where)
        )
        yield


def test_warnings_are_sentences_too(place, autoq, monkeypatch):
    def warn(*arguments, **settings):
        warnings.warn("twelve samples prove little", stacklevel=2)
        raise KeyboardInterrupt

    monkeypatch.setattr("autoq.api.evaluate", warn)
    before = warnings.formatwarning
    with printed_warnings():
        code, _, err = autoq("evaluate", "model.xml", "--validation", "data.py:validation", "--metric", "accuracy")
    assert (code, err) == (130, "warning: twelve samples prove little\n\nstopped.\n")
    assert warnings.formatwarning is before


def test_a_terminal_that_knows_ascii_alone_is_written_to(place):
    place.joinpath("m\xf6dell \u65e5.xml").write_bytes(place.joinpath("model.xml").read_bytes())
    place.joinpath("m\xf6dell \u65e5.bin").write_bytes(place.joinpath("model.bin").read_bytes())
    command = [sys.executable, "-m", "autoq", "sites", "m\xf6dell \u65e5.xml"]
    settings = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"conv" in done.stdout
    missing = subprocess.run([*command[:-1], "n\xf6.xml"], env=os.environ | settings, capture_output=True, check=False)
    assert missing.returncode == 2
    assert missing.stderr.startswith(b"error: model 'n")
    assert missing.stderr.endswith(b".xml' does not exist.\n")


def test_prune(place, autoq):
    pruning = ("prune", "model.xml", "-o", "narrow.xml", "--multiple-of", "1")
    code, out, _ = autoq(*pruning, "--calibration", "calibration.npy", "--ratio", "0.5", "--json")
    said = json.loads(out)
    assert (code, said["size_bytes"] < said["float_size_bytes"]) == (0, True)
    weights_alone = ("--method", "magnitude", "--repair", "none", "--macs", "0.5")
    code, out, _ = autoq(*pruning, *weights_alone, "--ignore", "image")
    assert (code, out.startswith("narrow.xml: ")) == (0, True)
    code, _, err = autoq(*pruning, "--ratio", "0.5")
    assert (code, "calibration is missing" in err) == (2, True)
    code, _, err = autoq("prune", "model.xml", "-o", "model.xml", *weights_alone)
    assert (code, "model.xml" in err) == (2, True)


def test_compress(place, autoq):
    code, out, _ = autoq(
        "compress", "tokens.xml", "-o", "small.xml", "--mode", "int4_sym", "--group-size", "8", "--json"
    )
    said = json.loads(out)
    assert code == 0
    assert said["size_bytes"] < said["float_size_bytes"]
    assert sum(said["weights_by_format"].values()) > 1
    code, out, _ = autoq("compress", "tokens.xml", "-o", "small.xml", "--ignore-type", "Gather")
    assert (code, "int8_asym" in out) == (0, True)
    mixed = ("--mode", "int4_sym", "--group-size", "-1", "--all-layers")
    with pytest.warns(UserWarning, match="of convolutions .* have the backup mode, 'int8_asym'"):
        assert autoq("compress", "model.xml", "-o", "small.xml", *mixed)[0] == 0
    by_data = ("compress", "tokens.xml", "-o", "small.xml", "--mode", "int4_sym", "--group-size", "8", "--dataset")
    assert autoq(*by_data, "ids.npy", "--rounding", "gptq")[0] == 0
    code, _, err = autoq(*by_data, "missing.npy")
    assert (code, "missing.npy" in err) == (2, True)
    code, _, err = autoq("compress", "tokens.xml", "-o", "small.xml", "--mode", "int4")
    assert (code, "did you mean 'int4_sym'" in err) == (2, True)
    code, _, err = autoq("compress", "tokens.xml", "-o", "tokens.xml")
    assert (code, "tokens.xml" in err) == (2, True)
    code, _, err = autoq("compress", "tokens.xml", "-o", "folder", "--layout", "optimum")
    assert (code, "has no config.json beside it" in err) == (2, True)
    (place / "config.json").write_text("{}")
    assert autoq("compress", "tokens.xml", "-o", "folder", "--layout", "optimum")[0] == 0
    assert {path.name for path in (place / "folder").iterdir()} >= {
        "openvino_model.xml",
        "openvino_model.bin",
        "config.json",
    }
    (place / "config.json").unlink()


def test_errors_and_warnings_name_options(place, autoq):
    """Not the parameters of the functions that the commands call."""
    last = ("compress", "last.xml", "-o", "small.xml", "--mode", "int4_sym", "--group-size", "-1")
    x = ops.parameter([1, 4], np.float32, name="x")
    ov.save_model(ov.Model([ops.matmul(x, np.ones((4, 8), np.float32), False, False)], [x]), "last.xml")
    with printed_warnings():
        code, _, err = autoq(*last)
    assert (code, err.startswith("warning: ")) == (0, True)
    assert "Use --all-layers, or --mode int8_asym, which all" in err
    pruned = ("prune", "model.xml", "-o", "small.xml", "--calibration", "calibration.npy", "--ratio", "0.01")
    code, _, err = autoq(*pruned)
    assert (code, "Use a larger ratio, or a smaller --multiple-of." in err) == (2, True)
