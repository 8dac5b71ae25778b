"""Outputs of a shape that values decide are compared by what decides them, in a model and in its candidates."""

import numpy as np
import openvino as ov
import pytest
from graph_models import named
from networks import conv_net, snapshot, token_net
from openvino import opset13 as ops

import autoq
from autoq.core import Plan, Precision, Recipe
from autoq.evaluation.device import RuntimeConfig, model_outputs
from autoq.evaluation.distortion import distortion
from autoq.graph import Comparable, Placements

EXACT = RuntimeConfig.from_dict({"inference_precision": "f32"})


def weight(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 0.3, shape).astype(np.float32)


def detector() -> ov.Model:
    """image -> boxes and scores -> as many as are left, and the boxes themselves."""
    x = named(ops.parameter([1, 3, 16, 16], np.float32, "image"), "image")
    y = ops.relu(ops.convolution(x, weight(16, 3, 3, 3), [2, 2], [1, 1], [1, 1], [1, 1]))

    def head(rows, seed):
        found = ops.convolution(y, weight(rows, 16, 1, 1, seed=seed), [1, 1], [0, 0], [0, 0], [1, 1])
        return ops.reshape(found, np.array([1, rows, 64]), False)

    scores = named(ops.sigmoid(head(2, 1)), "scores")
    boxes = named(ops.transpose(ops.multiply(ops.sigmoid(head(4, 2)), np.float32(16)), np.array([0, 2, 1])), "boxes")
    kept = ops.non_max_suppression(boxes, scores, np.int64(20), np.float32(0.5), np.float32(0.5))
    rows = ops.gather(kept.output(0), np.array([2]), np.int64(1))
    chosen = ops.gather(ops.squeeze(boxes, np.array([0])), ops.squeeze(rows, np.array([1])), np.int64(0))
    return ov.Model([ops.result(kept.output(0)), ops.result(chosen), ops.result(scores)], [x], "detector")


def speaker() -> ov.Model:
    """text [1, 6, 8] -> how long each word lasts -> frames -> a layer over them."""
    x = named(ops.parameter([1, 6, 8], np.float32, "text"), "text")
    words = named(ops.relu(ops.matmul(x, weight(8, 8), False, False)), "words")
    lasting = named(
        ops.reduce_sum(ops.abs(ops.matmul(words, weight(8, 1), False, False)), np.array([0, 1, 2])), "lasting"
    )
    frames = ops.range(np.int64(0), ops.convert(ops.ceiling(lasting), "i64"), np.int64(1), "i64")
    word = ops.gather(words, ops.mod(frames, ops.constant(np.int64(6))), np.int64(1))
    return ov.Model([ops.result(named(ops.matmul(word, weight(8, 5), False, False), "spoken"))], [x], "speaker")


def found(model):
    places = Comparable.of(model).places
    return None if places is None else set(places)


def test_boxes_are_compared_before_they_are_suppressed():
    model = detector()
    before = snapshot(model)
    places = found(model)
    kinds = {(node.get_friendly_name()): node.get_type_name() for node in model.get_ops()}
    assert {(kinds[p[0]], p[1]) for p in places if not isinstance(p, int)} == {
        ("NonMaxSuppression", 0),
        ("NonMaxSuppression", 1),
        ("Gather", 0),
    }
    assert {p for p in places if isinstance(p, int)} == {2}
    assert snapshot(model) == before


def test_layers_behind_what_decides_a_shape_are_compared_too():
    """A length is compared before it is rounded up: behind that, the least error is one step or none."""
    assert found(autoq.read_model(speaker())) == {("Ceiling#1", 0), ("Gather#1", 0), 0}


@pytest.mark.parametrize("make", [conv_net, token_net])
def test_outputs_whose_shape_no_value_decides_are_compared_as_they_are(make):
    """Though that of the second is not known before it runs."""
    model = make()
    assert found(model) is None
    assert Comparable.of(model).put_out_by(model) is model


@pytest.mark.parametrize(
    ("make", "shape"), [(detector, (1, 3, 16, 16)), (speaker, (1, 6, 8))], ids=["detector", "speaker"]
)
def test_what_a_candidate_is_compared_by_has_the_shapes_of_the_model(make, shape):
    model = autoq.read_model(make())
    data = [np.random.default_rng(i).normal(0, 2, shape).astype(np.float32) for i in range(40)]
    quantized = autoq.quantize(model, data, progress=False)
    plain = [model_outputs(m, data, EXACT) for m in (model, quantized)]
    assert any(a.shape != b.shape for one, other in zip(*plain, strict=True) for a, b in zip(one, other, strict=True))
    comparable = Comparable.of(model)
    seen = [model_outputs(comparable.put_out_by(m), data, EXACT) for m in (model, quantized)]
    decided = len(seen[0][0]) - (make is speaker)
    for one, other in zip(*seen, strict=True):
        assert [a.shape for a in one[:decided]] == [b.shape for b in other[:decided]]
    assert 0 < distortion(*seen) < distortion(*plain)


def test_sensitivities_of_a_detector_nearly_add_up():
    """Of the boxes that are left they are those of the rows that changed places."""
    model = autoq.read_model(detector())
    data = [np.random.default_rng(i).normal(0, 2, (1, 3, 16, 16)).astype(np.float32) for i in range(12)]
    report = autoq.sensitivity(model, data, bias_correction=False, progress=False)
    assert len(report.units) >= 2
    assert report.whole < 0.05
    assert sum(unit.distortion for unit in report.units) == pytest.approx(report.whole, rel=0.5)
    groups = [group.name for group in Placements.of(model).reference.groups]
    plan = Plan.quantized(
        Recipe(bias_correction="none"), {g: Precision.FLOAT for g in groups if g != report.units[0].unit}
    )
    comparable = Comparable.of(model)
    one = autoq.quantize(model, data, plan=plan, progress=False)
    seen = [model_outputs(comparable.put_out_by(m), data, EXACT) for m in (model, one)]
    assert report.units[0].distortion == pytest.approx(distortion(*seen), rel=1e-2)
