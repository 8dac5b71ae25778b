"""Data in the forms that people hold them in, through every entry point."""

import itertools
import warnings

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images
from openvino import opset13 as ops
from PIL import Image

import autoq

X = images(24)
Y = np.random.default_rng(1).integers(0, 3, 24)
PAIRS = [(x, int(y)) for x, y in zip(X, Y, strict=True)]
SPACE = {"subset_sizes": [16, 8], "sampler": "random"}


def ranges(model):
    return {
        op.get_friendly_name(): [np.ravel(op.input_value(port).get_node().data).tolist() for port in (1, 2)]
        for op in model.get_ops()
        if op.get_type_name() == "FakeQuantize"
    }


def if_net():
    """A branch that is taken where the sum is above 0."""
    x = ops.parameter([1, 4], np.float32, name="x")
    bodies = []
    for seed in range(2):
        inner = ops.parameter([1, 4], np.float32)
        weight = np.random.default_rng(seed).normal(size=(4, 4)).astype(np.float32)
        bodies.append((ov.Model([ops.result(ops.matmul(inner, weight, False, False))], [inner]), inner))
    branch = ops.if_op(ops.greater(ops.reduce_sum(x, [0, 1]), np.float32(0)).output(0))
    for index, (body, _) in enumerate(bodies):
        (branch.set_then_body if index == 0 else branch.set_else_body)(body)
    branch.set_input(x.output(0), bodies[0][1], bodies[1][1])
    output = branch.set_output(bodies[0][0].results[0], bodies[1][0].results[0])
    return ov.Model([ops.result(output)], [x])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"fast_bias_correction": False},
        {"channel_alignment": True},
        {"model_type": "transformer"},
        {"range_estimator": "mse"},
        {"cache": True},
    ],
    ids=str,
)
def test_a_stream_is_quantized_as_a_list_is(tmp_path, options):
    if options.get("cache"):
        options = {"cache": tmp_path}
    stream = (x[None] for x in itertools.cycle(X))
    found = autoq.quantize(conv_net(), stream, subset_size=20, **options)
    assert ranges(found) == ranges(autoq.quantize(conv_net(), list(X[:20]), subset_size=20, **options))
    np.testing.assert_array_equal(next(stream)[0], X[20])


def test_a_stream_reaches_the_bodies():
    data = [np.full((1, 4), number - 5, np.float32) for number in range(12)]
    inside = [
        sum(op.get_type_name() == "FakeQuantize" for body in (0, 1) for op in node.get_function(body).get_ops())
        for made in (autoq.quantize(if_net(), iter(data)), autoq.quantize(if_net(), data))
        for node in made.get_ops()
        if node.get_type_name() == "If"
    ]
    assert inside[0] == inside[1] > 0


def test_fewer_samples_than_asked_for_are_said():
    with pytest.warns(UserWarning, match="calibration data hold 24 samples, of 100 asked for: all are used"):
        asked = autoq.quantize(conv_net(), X, subset_size=100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        usual = autoq.quantize(conv_net(), iter(X))
    for made in (asked, usual):
        assert int(str(made.get_rt_info(["autoq", "calibration_samples"]).value)) == 24
    told = []

    class Observer:
        def on_stage(self, text, done=0, total=None):
            told.append(text)

        def on_start(self, info, earlier): ...
        def on_trial(self, record, front): ...
        def on_finish(self, records, front, files): ...

    search(calibration=iter(X[:9]), observers=[Observer()])
    assert "calibration data hold 9 samples, of 16 asked for: all are used" in told


def search(**given):
    usual = {"calibration": X, "validation": (X, Y), "metric": "accuracy", "space": SPACE, "max_drop": 0.9}
    settings = {"n_trials": 2, "tracking_uri": "off", "progress": False, "isolate": False}
    return autoq.search(conv_net(), **(usual | settings | given))


def test_a_search_of_a_stream_and_of_samples_without_a_first_axis():
    plain = search()
    found = search(calibration=((x, 0) for x in itertools.cycle(X)), validation=iter(PAIRS), sample=X[0])
    for one, other in zip(plain.records, found.records, strict=True):
        assert one.plan == other.plan
        np.testing.assert_array_equal(one.evaluation.accuracy.scores, other.evaluation.accuracy.scores)


class Rows:
    """Read in the process that scores."""

    def __len__(self):
        return 24

    def __getitem__(self, index):
        return {"image": X[index], "label": int(Y[index])}


def test_what_is_read_when_it_is_asked_for_reaches_the_process_that_scores():
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader(PAIRS, batch_size=7)
    expected = search().records[0].evaluation.accuracy
    for validation in (Rows(), loader):
        accuracy = search(validation=validation, isolate=True, n_trials=1).records[0].evaluation.accuracy
        np.testing.assert_array_equal(accuracy.scores, expected.scores)


def test_every_entry_point_takes_a_generator():
    expected = autoq.sensitivity(conv_net(), X, progress=False)
    found = autoq.sensitivity(conv_net(), iter(X), progress=False)
    assert {unit.unit: unit.distortion for unit in found.units} == pytest.approx(
        {unit.unit: unit.distortion for unit in expected.units}
    )
    made = autoq.quantize_with_accuracy_control(
        conv_net(), iter(X), iter(PAIRS), metric="accuracy", max_drop=0.9, progress=False
    )
    assert ranges(made)
    assert autoq.evaluate(conv_net(), iter(PAIRS), metric="accuracy").n == 24


@pytest.mark.parametrize("sample", [X[0], X[:1], {"image": X[0]}, (X[0], 3)], ids=["bare", "whole", "dict", "pair"])
def test_samples_to_time_with(sample):
    model = conv_net(batch=-1)
    assert autoq.benchmark(model, sample=sample, max_seconds=0.2).latency.p50_ms > 0
    assert autoq.profile(model, sample=sample, bursts=1).layers


def test_a_sample_is_an_image_file(tmp_path):
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a.png")
    assert autoq.benchmark(conv_net(), sample=autoq.images(tmp_path / "a.png", scale=255), max_seconds=0.2)
    with pytest.warns(UserWarning, match="as pixels of 0 to 255"):
        assert autoq.benchmark(conv_net(), sample=str(tmp_path / "a.png"), max_seconds=0.2)


@pytest.mark.parametrize("scope", ["conv_2", ["conv_2"], {"names": ["conv_2"]}, autoq.IgnoredScope(names=["conv_2"])])
def test_scopes_of_every_form(scope):
    expected = ranges(autoq.quantize(conv_net(), X, ignored_scope=autoq.IgnoredScope(names=["conv_2"])))
    assert ranges(autoq.quantize(conv_net(), X, ignored_scope=scope)) == expected
    assert autoq.sensitivity(conv_net(), X, ignored_scope=scope, progress=False).units
    assert autoq.profile(conv_net(), ignored_scope=scope, bursts=1).layers
    assert "mine" in autoq.SearchSpace.load({"ignored_scopes": {"mine": scope}}).scopes()


@pytest.mark.parametrize("shape", [[30, 1, 8], [20, 20, 4], [160]], ids=str)
def test_a_first_axis_that_is_no_batch(shape):
    """Ranges are means over samples, one inference each, as numpy has them."""
    x = ops.parameter(shape, np.float32, name="x")
    weight = np.eye(shape[-1], dtype=np.float32)
    model = ov.Model([ops.result(ops.matmul(x, weight, False, False))], [x])
    data = [np.full(shape, number, np.float32) for number in range(1, 11)]
    for given in (data, np.stack(data), iter(data), [(sample, 1) for sample in data]):
        (found,) = [high for name, (_, high) in ranges(autoq.quantize(model, given)).items() if "weights" not in name]
        assert found == pytest.approx([5.5])
