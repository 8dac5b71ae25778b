"""Bodies of If operations are quantized as models of their own; those of loops stay in float."""

import numpy as np
import openvino as ov
import pytest
from graph_models import MODELS, bias, conv, image, named
from networks import snapshot
from openvino import opset13 as ops
from peer import fakes

import autoq
from autoq.core import DataError, PlanError
from autoq.graph import analyze, if_bodies

DATA = np.random.default_rng(0).normal(0, 1, (8, 1, 4, 8, 8)).astype(np.float32)
DATA[::2] = np.abs(DATA[::2])  # these take the first branch


def body(name: str, *, inner: bool = False) -> tuple[ov.Model, ov.Node]:
    x = image(f"{name}_image")
    y = named(ops.relu(bias(conv(x, f"{name}_conv"), f"{name}_bias")), f"{name}_relu")
    y = branching(y, f"{name}_inner") if inner else conv(y, f"{name}_conv_2")
    return ov.Model([ops.result(y)], [x], name), x


def branching(x: ov.Node, name: str, *, inner: bool = False) -> ov.Node:
    """An If on the mean of a tensor."""
    positive = ops.greater(ops.reduce_mean(x, [0, 1, 2, 3]), np.float32(0.4))
    for read, what in ((x, "value"), (positive, "condition")):
        read.output(0).tensor.set_names({f"{name}_{what}"})  # the peer finds them by name
    op = ops.if_op(positive.output(0))
    then, then_input = body(f"{name}_then", inner=inner)
    other, other_input = body(f"{name}_else")
    op.set_then_body(then)
    op.set_else_body(other)
    op.set_input(x.output(0), then_input, other_input)
    op.set_output(then.results[0], other.results[0])
    return named(op, name)


def model(*, inner: bool = False) -> ov.Model:
    x = image()
    y = named(ops.relu(bias(conv(x, "conv"), "conv_bias")), "relu")
    y = branching(
        ops.multiply(x, named(ops.add(ops.multiply(y, np.float32(0)), np.float32(1)), "one")), "if", inner=inner
    )
    result = named(ops.result(conv(y, "last")), "result")
    return ov.Model([result], [x], "with_if")


def outputs(network):
    compiled = ov.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.concatenate([compiled(x)[0] for x in DATA])


def body_fakes(network, branch, op="if"):
    node = next(node for node in network.get_ops() if node.get_friendly_name() == op)
    return {n.get_friendly_name() for n in node.get_function(branch).get_ops() if n.get_type_name() == "FakeQuantize"}


@pytest.mark.parametrize("inner", [False, True])
def test_both_branches_are_quantized_and_compute_the_same(inner):
    network = model(inner=inner)
    bodies = [snapshot(b.model) for b in if_bodies(network)]
    before = snapshot(network)
    quantized = autoq.quantize(network, list(DATA), range_estimator="min_max")
    assert snapshot(network) == before
    assert [snapshot(b.model) for b in if_bodies(network)] == bodies
    assert body_fakes(quantized, 0) >= {"if_then_image/fq_output_0", "if_then_relu/fq_output_0"} - (
        {"if_then_relu/fq_output_0"} if inner else set()
    )
    assert body_fakes(quantized, 1) == {"if_else_image/fq_output_0", "if_else_relu/fq_output_0"}
    expected, actual = outputs(network), outputs(quantized)
    assert 0 < np.abs(actual - expected).max() < 0.1 * np.abs(expected).max()


def test_accuracy_control_has_an_answer_where_all_that_is_quantized_stands_in_bodies():
    x = image()
    network = ov.Model([ops.result(branching(x, "if"))], [x], "all_in_bodies")
    pairs = list(zip(DATA, outputs(network), strict=True))
    outside = {"range_estimator": "min_max", "ignored_scope": autoq.IgnoredScope(types=["ReduceMean"])}
    with pytest.warns(UserWarning, match="no candidate met the drop of at most 1e-12"):
        found = autoq.quantize_with_accuracy_control(
            network, list(DATA), pairs, metric="negative_mse", max_drop=1e-12, progress=False, **outside
        )
    assert body_fakes(found, 1) == {"if_else_image/fq_output_0", "if_else_relu/fq_output_0"}


def test_a_branch_that_no_sample_takes_stays_in_float():
    quantized = autoq.quantize(model(), list(DATA[1::2]))
    assert not body_fakes(quantized, 0)
    assert body_fakes(quantized, 1)


def test_a_scope_may_speak_of_a_body():
    scope = autoq.IgnoredScope(names=["if_then_conv"])
    quantized = autoq.quantize(model(), list(DATA), ignored_scope=scope)
    assert body_fakes(quantized, 0) == {"if_then_relu/fq_output_0"}
    with pytest.raises(
        PlanError, match=r"name 'if_then_cnov' matches no operation of the model: did you mean 'if_then_"
    ):
        autoq.quantize(model(), list(DATA), ignored_scope=autoq.IgnoredScope(names=["if_then_cnov"]))


def test_bodies_need_data():
    network = model()
    statistics = autoq.collect(network, [analyze(network)], autoq_inputs(network))
    with pytest.raises(DataError, match="calibration data are missing: the body of 'if' needs them"):
        autoq.quantize(network, None, statistics=statistics)


def autoq_inputs(network):
    from autoq.calibration import as_inputs

    return as_inputs(network, list(DATA))


def test_every_operation_that_has_bodies_says_what_becomes_of_them():
    reasons = {d.op: d.reason for d in analyze(model()).decisions}
    assert reasons["if"] == "its bodies are quantized as models of their own"
    loops = [d for name in MODELS for d in analyze(MODELS[name]()).decisions if d.type == "TensorIterator"]
    assert loops
    assert all("the body of a loop stays in float" in d.reason for d in loops)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore")
def test_quantizers_in_bodies_are_the_peers():
    """A deliberate difference is not shown here: where no sample takes a branch, the peer raises."""
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters

    network = model()
    settings = AdvancedQuantizationParameters(disable_bias_correction=True, backend_params={"compress_weights": False})
    theirs = nncf.quantize(network.clone(), nncf.Dataset(list(DATA)), advanced_parameters=settings)
    ours = autoq.quantize(network, list(DATA), bias_correction=False, fold_weights=False)
    pairs = [(ours, theirs, network)]
    compared = 0
    while pairs:
        mine, other, original = pairs.pop()
        a, b = fakes(mine, original), fakes(other, original)
        assert a.keys() == b.keys()
        for name in a:
            for x, y in zip(a[name].limits, b[name].limits, strict=True):
                np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5, err_msg=name)
        compared += len(a)
        bodies = ([c.model for c in if_bodies(m)] for m in (mine, other, original))
        pairs += list(zip(*bodies, strict=True))
    assert compared >= 12
