"""A smoke test of the whole in half a minute: `make tiny`. Each layer does its work once, on one small network."""

import json
import sys
from pathlib import Path

import numpy as np
import openvino as ov
import pytest
import yaml
from openvino import opset13 as ops

import autoq
import autoq.cli
from autoq.calibration import Statistic, Tap, as_inputs
from autoq.core import Plan, Precision, Recipe
from autoq.graph import SiteKind, Tensor

# Training needs PyTorch, which is an extra.
LAYERS = {folder.name for folder in Path(autoq.__file__).parent.iterdir() if (folder / "__init__.py").exists()} - {
    "training"
}
DATA = """
import test_tiny
def calibration(): return test_tiny.samples(8, seed=1)
def validation(): return test_tiny.samples(40), test_tiny.outputs(test_tiny.network(), test_tiny.samples(40)).argmax(-1)
"""
EXPERIMENT = {
    "model": "model.xml",
    "calibration": "data.py:calibration",
    "validation": "data.py:validation",
    "metric": "accuracy",
    "space": {"subset_sizes": 8, "sweep": 1},
    "budget": {"n_trials": 4},
    "tracking": {"uri": "sqlite:///mlflow.db", "experiment": "tiny"},
    "max_drop": 0.5,
    "out": "run",
}


def network() -> ov.Model:
    """image [1, 3, 6, 6] -> convolution, ReLU -> convolution added to it -> mean -> linear layer -> classes [1, 3]."""
    rng = np.random.default_rng(3)

    def constant(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.4, shape).astype(np.float32)

    image = ops.parameter([1, 3, 6, 6], np.float32, "image")
    image.set_friendly_name("image")
    image.output(0).tensor.set_names({"image"})
    same = [[1, 1]] * 4
    stem = ops.relu(ops.add(ops.convolution(image, constant(4, 3, 3, 3), *same), constant(1, 4, 1, 1)))
    both = ops.add(ops.convolution(stem, constant(4, 4, 3, 3), *same), stem)
    classes = ops.matmul(ops.reduce_mean(both, np.array([2, 3])), constant(4, 3), False, False)
    return ov.Model([ops.result(classes)], [image], "tiny")


def samples(count: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.3, 1, (count, 3, 6, 6)).astype(np.float32)


def outputs(model: ov.Model, data: np.ndarray) -> np.ndarray:
    """What OpenVINO computes in f32, [samples, classes]."""
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.concatenate([compiled([sample[None]])[0] for sample in data])


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A folder in which the command line searched, and the layers in which functions ran meanwhile."""
    place = tmp_path_factory.mktemp("tiny")
    ov.save_model(network(), place / "model.xml", compress_to_fp16=False)
    (place / "data.py").write_text(DATA)
    (place / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    before, root, reached = sys.gettrace(), f"{Path(autoq.__file__).parent}/", set()

    def note(frame, _, __):
        if frame.f_code.co_filename.startswith(root) and frame.f_code.co_name != "<module>":
            reached.add(frame.f_code.co_filename.removeprefix(root).split("/")[0])

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr(sys, "argv", ["autoq", "search", "experiment.yaml"])
        sys.settrace(note)
        try:
            with pytest.raises(SystemExit) as end:
                autoq.cli.main()
        finally:
            sys.settrace(before)
    assert not end.value.code
    return place, reached


def test_a_plan_is_written_and_read():
    plan = Plan.quantized(Recipe(subset_size=8), {"stem": Precision.FLOAT})
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_quantizers_are_placed():
    kinds = [site.kind for site in autoq.analyze(network()).sites]
    assert (kinds.count(SiteKind.WEIGHT), kinds.count(SiteKind.ACTIVATION)) == (3, 5)


def test_statistics_are_those_of_the_data():
    model, data = network(), samples(8)
    statistics = autoq.collect(model, [autoq.analyze(model)], as_inputs(model, data))
    largest = statistics.of(Tap(Tensor("image", 0), None, Statistic.MAX), 8)
    np.testing.assert_array_equal(largest[:, 0], data.max(axis=(1, 2, 3)))


def test_a_quantized_model_computes_almost_the_same():
    model, data = network(), samples(40)
    quantized = autoq.quantize(model, samples(8, seed=1), progress=False)
    before, after = outputs(model, data), outputs(quantized, data)
    assert 0 < ((after - before) ** 2).mean() < 0.1 * before.var()
    scoring = autoq.evaluate(quantized, (data, before.argmax(-1)), metric="accuracy")
    assert scoring.mean.value == (after.argmax(-1) == before.argmax(-1)).mean()


def test_a_search_leaves_its_front_a_report_and_a_model(searched):
    place, _ = searched
    result = autoq.SearchResult.load(place / "run")
    assert [record.origin for record in result.records][:2] == ["int8", "float"]
    assert result.front.records
    assert "<svg" in (place / "run" / "report.html").read_text()
    best = ov.Core().read_model(place / "run" / "best" / "model.xml")
    want = outputs(network(), samples(4))
    np.testing.assert_allclose(outputs(best, samples(4)), want, atol=0.1 * np.ptp(want))


def test_a_search_is_tracked(searched):
    from mlflow import MlflowClient

    place, _ = searched
    client = MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    (experiment,) = client.search_experiments(filter_string="name = 'tiny'")
    assert len(client.search_runs([experiment.experiment_id])) == 1 + EXPERIMENT["budget"]["n_trials"]


def test_every_layer_is_reached(searched):
    _, reached = searched
    assert LAYERS - reached == set()
    assert len(LAYERS) > 10
