"""Where a model's time goes: nothing is lost, nothing counted twice, and every layer that is not int8 says why."""

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import pytest
from networks import conv_net, images, token_net

from autoq.api import profile, quantize
from autoq.core import ConfigError, DataError, Plan, Precision
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.execution import _execution as execution
from autoq.evaluation.execution import execution_report
from autoq.evaluation.execution._executed import ExecutedLayer
from autoq.evaluation.execution._executed_ops import executed_ops
from autoq.graph import IgnoredScope, analyze, unique_names

SIZE = 32
MODEL = conv_net(channels=16, size=SIZE)
IMAGES = images(4, size=SIZE)
TOKENS = np.array([[1, 2, 3]])
INT8 = {"i8", "u8"}


def int8(model=MODEL, data=IMAGES, **options):
    return quantize(model, data, progress=False, **options)


def in_f32(model, **options):
    return profile(model, inference_precision="f32", bursts=2, **options)


def layer_of(found, op):
    (layer,) = [layer for layer in found.layers if op in layer.ops]
    return layer


def why(found, op):
    return layer_of(found, op).why_not_int8


@pytest.mark.parametrize("device", ["CPU", "HETERO:CPU"])
@pytest.mark.parametrize("model", [MODEL, int8()], ids=["float", "int8"])
def test_the_times_add_up(model, device):
    found = profile(model, device=device, bursts=2)
    rows = found.to_pandas()
    assert len(rows) == len(found.layers)
    assert found.kernels_ms == pytest.approx(rows["ms"].sum())
    assert min(found.wall_ms, found.kernels_ms) > 0
    assert found.wall_ms == pytest.approx(found.kernels_ms + found.residual_ms)
    assert rows["share"].sum() == pytest.approx(1)
    totals = rows.groupby("group", dropna=True)["ms"].sum()
    assert found.groups_ms == pytest.approx(totals.to_dict())
    assert list(found.groups_ms.values()) == sorted(found.groups_ms.values(), reverse=True)
    assert sum(found.groups_ms.values()) + found.ungrouped_ms == pytest.approx(found.kernels_ms)
    assert found.int8_ms == pytest.approx(
        rows.loc[rows["precision"].isin(INT8) & (rows["type"] != "Reorder"), "ms"].sum()
    )


@pytest.mark.parametrize("precision", ["default", "f32"])
@pytest.mark.parametrize(
    ("model", "data", "options"),
    [
        (MODEL, list(IMAGES[:, None]), {}),
        (token_net(width=32), [TOKENS], {}),
        (token_net(width=32), [TOKENS], {"model_type": "transformer"}),
    ],
    ids=["conv", "token", "transformer"],
)
def test_every_operation_runs_in_one_layer(model, data, options, precision):
    silent = {"Parameter", "Result", "Constant"}
    expected = sorted(name for name, op in unique_names(model).items() if op.get_type_name() not in silent)
    for one in (model, int8(model, data, **options)):
        found = profile(one, sample=data[0], inference_precision=precision, bursts=1)
        executed = [op for layer in found.layers for op in layer.ops]
        assert len(executed) == len(set(executed))
        assert sorted(set(executed) & set(expected)) == expected


def test_both_clocks_count_milliseconds():
    found = in_f32(conv_net(channels=64, size=64))
    assert 0.02 < found.kernels_ms / found.wall_ms < 50


def test_layers_have_their_operations_and_groups():
    groups = {group.name for group in analyze(MODEL).groups}
    for model in (MODEL, int8()):
        found = in_f32(model)
        # The device names neither the MatMul, nor a ReLU that the limits of a quantizer make needless.
        for ops_ in (("conv_1", "conv_1_bias", "relu_1"), ("conv_2", "conv_2_bias", "residual"), ("head", "head_bias")):
            assert len({layer_of(found, op).name for op in ops_}) == 1
        assert set(found.groups_ms) == groups
        assert layer_of(found, "conv_1").groups == ("conv_1",)
        # What is fused belongs to both groups, and its time to the first.
        fused = layer_of(found, "residual")
        assert fused.groups == ("conv_2", "depthwise")
        assert fused.group == "conv_2"
    quantizer = layer_of(found, "image/fq_output_0")
    assert quantizer.groups == ("conv_1",)
    assert quantizer.why_not_int8 == "belongs to a quantizer, which reads floats"


def test_names_that_repeat_are_told_apart():
    model = conv_net(depthwise=False, channels=16, size=SIZE)
    for op in model.get_ops():
        if op.get_type_name() == "Convolution":
            op.set_friendly_name("conv")
        elif op.get_friendly_name().endswith("_bias"):
            op.set_friendly_name("conv_1")
    found = in_f32(model)
    assert layer_of(found, "conv").type == layer_of(found, "conv#2").type == "Convolution"
    assert layer_of(found, "conv").name != layer_of(found, "conv#2").name
    assert layer_of(found, "conv_1").name == layer_of(found, "conv").name


def test_what_the_device_puts_in_is_a_layer_of_its_own():
    found = in_f32(MODEL)
    put_in = [layer for layer in found.layers if not layer.ops]
    assert {layer.type for layer in put_in} == {"Reorder"}
    assert {layer.group for layer in put_in} == {None}
    assert {layer.why_not_int8 for layer in put_in} == {"put in by the device: it names no operation of the model"}


def test_time_that_the_execution_graph_does_not_know_is_not_lost(monkeypatch):
    clock = execution.KernelClock(MODEL, RuntimeConfig())
    clock.run({"image": IMAGES[:1]}, 3)
    known = clock.layers()
    monkeypatch.setattr(execution, "execution_report", lambda compiled, model: execution.ExecutionReport(()))
    unknown = clock.layers()
    assert unknown
    assert sum(ms for _, ms in unknown) == pytest.approx(sum(ms for _, ms in known))
    assert {layer.precision for layer, _ in unknown} == {"unknown"}
    assert {layer.name for layer, ms in known if ms} == {layer.name for layer, _ in unknown}


def test_an_operation_that_vanished_went_into_the_first_layer_that_reads_it():
    layers = [ExecutedLayer(name, "", "f32", "", names) for name, names in (("a", ("relu_1",)), ("b", ("residual",)))]
    first, second = executed_ops(conv_net(), layers)
    assert set(first) == {"conv_1", "conv_1_bias", "relu_1"}
    # The end of the model, which nothing reads, goes with what it reads.
    assert {"depthwise", "relu_2", "conv_2", "residual", "pool", "head", "head_bias"} <= set(second)


# --- why not int8 ----------------------------------------------------------------------------------------------------


def test_a_quantized_model_runs_in_int8():
    found = in_f32(int8())
    for op in ("conv_1", "depthwise", "conv_2", "pool", "head"):
        assert layer_of(found, op).precision in INT8
        assert why(found, op) is None


def test_a_float_model():
    found = in_f32(token_net(width=32), sample=TOKENS)
    assert why(found, "up") == "the model is float: quantizing it puts quantizers on its inputs"
    assert why(found, "norm") == "a quantizer here would serve no int8 kernel"
    assert {layer.precision for layer in found.layers if "up" in layer.ops} == {"f32"}
    softmax = ops.softmax(x := ops.parameter([4, 64], np.float32, "x"), 1)
    softmax.set_friendly_name("softmax")
    assert why(in_f32(ov.Model([softmax], [x], "m")), "softmax") == "Softmax has no int8 kernel"


def test_placement_rules_are_reasons():
    model = token_net(width=32)
    told = in_f32(model, sample=TOKENS, model_type="transformer")
    assert why(told, "norm") == "MVN stays in float in a transformer"
    assert why(in_f32(MODEL, ignored_scope=IgnoredScope(types=["ReduceMean"])), "pool") == (
        "ignored by type 'ReduceMean'"
    )


def test_what_was_expected_to_be_fused():
    x = ops.parameter([1, 8, 64], np.float32, "x")
    x.set_friendly_name("x")
    added = ops.relu(ops.add(x, ops.multiply(x, x)))
    norm = ops.mvn(added, np.array([2]), True, 1e-5, "inside_sqrt")
    norm.set_friendly_name("norm")
    scaled = ops.multiply(norm, np.linspace(1, 2, 64, dtype=np.float32).reshape(1, 1, 64))
    scaled.set_friendly_name("scale")
    shifted = ops.add(scaled, np.ones((1, 1, 64), np.float32))
    shifted.set_friendly_name("shift")
    model = ov.Model([ops.matmul(shifted, np.ones((64, 64), np.float32), False, True)], [x], "layer_norm")
    found = in_f32(model)
    layer = layer_of(found, "scale")
    assert layer.name != layer_of(found, "norm").name
    assert layer.why_not_int8 == f"was expected to run fused into norm, but the device runs {layer.kernel} for it"
    assert (
        why(in_f32(model, model_type="transformer"), "scale") == "goes with norm: MVN stays in float in a transformer"
    )


def test_an_ignored_layer():
    scope = IgnoredScope(names=["head"])
    quantized = int8(ignored_scope=scope)
    assert why(in_f32(quantized), "head") == "no quantizer stands on its inputs, though its group could have them"
    assert why(in_f32(quantized, ignored_scope=scope), "head") == "ignored by name 'head'"


def test_a_plan_is_a_reason():
    precisions = {"head": Precision.FLOAT, "conv_2": Precision.INT8_WEIGHTS}
    found = in_f32(int8(plan=Plan.quantized(precisions=precisions)))
    assert why(found, "head") == "the plan leaves its group in float"
    assert why(found, "conv_2") == "only its weights are quantized, as the plan asks: it computes in float"
    assert why(found, "conv_1") is None


def test_weights_alone_are_not_taken_for_int8():
    model = int8(plan=Plan.quantized(precisions={g.name: Precision.INT8_WEIGHTS for g in analyze(MODEL).groups}))
    report = execution_report(RuntimeConfig.from_dict({"inference_precision": "f32"}).compile(model), model)
    assert report.int8_layers == 0
    assert why(in_f32(model), "head") == "only its weights are quantized, as the plan asks: it computes in float"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"activations": {"bits": 16}}, "a quantizer has 65536 levels, not 256"),
        ({"weights": {"symmetric": False}}, "its weights have zero points"),
        ({"weights": {"bits": 4}, "fold_weights": False}, "its weights have 15 levels, not 256"),
        ({"mode": "fp8_e4m3"}, "they are quantized to 8-bit floating point"),
    ],
)
def test_quantizers_that_the_device_has_no_int8_kernel_for(options, reason):
    layer = layer_of(in_f32(int8(**options)), "conv_1")
    assert layer.precision == "f32"
    assert (
        layer.why_not_int8 == f"its inputs are quantized, but the device runs {layer.kernel}, probably since {reason}"
    )


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({}, None),
        ({"per_channel": True}, "probably since its activations are quantized per channel"),
        ({"per_channel": True, "grouped": True}, None),
        ({"constant": False}, "probably since its weights are no constant"),
        ({"on_data": False}, "only its weights are quantized: it computes in float"),
        ({"on_weights": False}, "no quantizer stands on input 1 (w), though one does on another"),
    ],
)
def test_convolutions_quantized_by_hand(case, reason):
    layer = layer_of(in_f32(by_hand(**case)), "conv")
    if reason is None:
        assert layer.precision in INT8
        assert layer.why_not_int8 is None
    else:
        assert layer.precision == "f32"
        assert layer.why_not_int8.endswith(reason)


def by_hand(*, per_channel=False, grouped=False, constant=True, on_data=True, on_weights=True):
    """A convolution of 16 channels between FakeQuantize operations."""
    rng = np.random.default_rng(0)

    def fake(value, limit, levels):
        limit = np.float32(limit)
        return ops.fake_quantize(value, -limit, limit, -limit, limit, levels)

    x = ops.parameter([1, 16, SIZE, SIZE], np.float32, "x")
    shape = (16, 1, 1, 3, 3) if grouped else (16, 16, 3, 3)
    values = rng.normal(0, 0.1, shape).astype(np.float32)
    weight = ops.constant(values) if constant else ops.parameter(shape, np.float32, "w")
    weight.set_friendly_name("w")
    limit = np.linspace(2, 4, 16).reshape(1, 16, 1, 1) if per_channel else 4.0
    convolve = ops.group_convolution if grouped else ops.convolution
    conv = convolve(
        fake(x, limit, 256) if on_data else x,
        fake(weight, 0.5, 255) if on_weights else weight,
        [1, 1],
        [1, 1],
        [1, 1],
        [1, 1],
    )
    conv.set_friendly_name("conv")
    return ov.Model([ops.relu(conv)], [x] if constant else [x, weight], "by_hand")


# --- input -----------------------------------------------------------------------------------------------------------


def test_bad_input():
    with pytest.raises(DataError, match=r"input 'tokens' has the dynamic shape .*: pass a sample to time with"):
        profile(token_net())
    with pytest.raises(ConfigError, match="bursts is 0: it must be at least 1"):
        profile(MODEL, bursts=0)
    with pytest.raises(ConfigError, match="runtime key 'threads' is unknown"):
        profile(MODEL, threads=1)


def of_bytes():
    """An image of bytes, which is turned and converted; a condition; booleans that are joined."""
    rng = np.random.default_rng(0)
    x = ops.parameter([1, 16, 16, 3], np.uint8, name="image")
    y = ops.max_pool(ops.transpose(x, np.array([0, 3, 1, 2])), [2, 2], [1, 1], [0, 0], [0, 0], [2, 2]).output(0)
    y = ops.convolution(
        ops.convert(y, "f32"), rng.normal(0, 0.3, (8, 3, 3, 3)).astype(np.float32), [1, 1], [0, 0], [0, 0], [1, 1]
    )
    y.set_friendly_name("conv")
    positive = ops.greater(y, np.float32(0))
    return ov.Model([ops.result(y), ops.result(ops.concat([positive, ops.logical_not(positive)], 1))], [x], "of_bytes")


def branching():
    def body():
        p = ops.parameter([1, 16], np.float32)
        weight = np.random.default_rng(0).normal(0, 0.3, (16, 16)).astype(np.float32)
        return p, ov.Model([ops.matmul(p, weight, False, False)], [p], "body")

    x = ops.parameter([1, 16], np.float32, name="x")
    op = ops.if_op(ops.greater(ops.reduce_mean(x, np.array([0, 1])), np.float32(0)).output(0))
    (first, then), (second, other) = body(), body()
    op.set_then_body(then)
    op.set_else_body(other)
    op.set_input(x.output(0), first, second)
    return ov.Model([op.set_output(then.results[0], other.results[0])], [x], "branching")


@pytest.mark.parametrize("make", [of_bytes, branching])
def test_nothing_of_a_float_model_is_int8(make):
    """Whatever integers of its own it moves and compares."""
    model = make()
    report = execution_report(RuntimeConfig.from_dict({"inference_precision": "f32"}).compile(model), model)
    assert report.int8_layers == 0
    if make is of_bytes:
        assert {layer.type for layer in report.layers if layer.precision == "u8"} >= {"Pooling"}
    found = profile(model, bursts=1, inference_precision="f32")
    assert all(layer.why_not_int8 for layer in found.layers)
    assert found.int8_ms == 0


def test_what_runs_a_model_inside_says_so():
    layer = next(layer for layer in profile(branching(), bursts=1).layers if layer.type == "If")
    assert layer.precision == "unknown"
    assert layer.why_not_int8 == "runs what is inside of it, whose layers the device does not tell"
