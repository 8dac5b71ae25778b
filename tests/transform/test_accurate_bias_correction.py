"""On the samples that it sees, every corrected layer has the channel means that it has in the float model."""

import numpy as np
import openvino as ov
import pytest
from graph_models import MODELS
from networks import conv_net, images, memory_net, snapshot, token_net
from openvino import opset13 as ops
from peer import one_sample

from autoq.calibration import Needs, as_inputs, collect
from autoq.core import BiasCorrection, OverflowFix, Plan, PlanError, Preset, Recipe
from autoq.graph import Placements, unique_names
from autoq.transform import CandidateBuilder

TOKENS = [np.random.default_rng(n).integers(0, 16, (1, n)) for n in range(3, 23)]
PLAN = Plan.quantized(
    Recipe(bias_correction=BiasCorrection.ACCURATE, overflow_fix=OverflowFix.ENABLE, preset=Preset.MIXED)
)


def builder_for(model, data, **settings):
    placements = Placements.of(model, **settings)
    inputs = as_inputs(model, data)
    statistics = collect(model, placements, inputs, needs=Needs.of([PLAN.quantization.recipe]))
    return CandidateBuilder(model, placements, statistics, inputs), placements


def means_behind_biases(model, names, inputs):
    """Channel means behind every bias, over samples and positions, [layers][channels]."""
    clone = model.clone()
    nodes = unique_names(clone)
    results = [ops.result(nodes[name]) for name in names]
    observed = ov.Model(results, clone.get_parameters())
    compiled = ov.Core().compile_model(observed, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    per_sample = []
    for feed in inputs:
        values = list(compiled(feed).values())
        axes = [-1 if value.ndim < 4 else 1 for value in values]
        per_sample.append(
            [
                value.mean(axis=tuple(a for a in range(value.ndim) if a != axis % value.ndim))
                for value, axis in zip(values, axes, strict=True)
            ]
        )
    return [np.mean(column, axis=0) for column in zip(*per_sample, strict=True)]


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (conv_net(), images(20)),
        (conv_net(channels=32, size=16), images(20, size=16)),  # runs in real int8 kernels
        (conv_net(kernel=1, batch=2), images(40)),
        (token_net(), TOKENS),
    ],
    ids=["convolutions", "wide convolutions", "batches", "tokens of several lengths"],
)
def test_means_are_those_of_the_float_model(model, data):
    before = snapshot(model)
    builder, placements = builder_for(model, data)
    built = builder.build(PLAN)
    layers = [layer for layer in placements.under("none", Preset.MIXED).layers if layer.bias_add is not None]
    assert len(layers) >= 2
    names = [layer.bias_add for layer in layers]
    inputs = list(as_inputs(model, data))[: builder.resolve(PLAN).corrected_on]
    assert len(inputs) == 4
    expected, actual = (means_behind_biases(m, names, inputs) for m in (model, built))
    for name, a, b in zip(names, actual, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5, err_msg=name)
    assert snapshot(model) == before


@pytest.mark.parametrize("name", ["residual_chain", "several_inputs", "attention", "concat_of_convolutions"])
def test_branches_are_cut_where_they_cross(name):
    model = MODELS[name]()
    builder, placements = builder_for(model, [one_sample(model)])
    built = builder.build(PLAN)
    layers = [layer for layer in placements.under("none", Preset.MIXED).layers if layer.bias_add is not None]
    if layers:
        names = [layer.bias_add for layer in layers]
        inputs = list(as_inputs(model, [one_sample(model)]))
        shifts = builder._measured(builder.resolve(PLAN), placements.under("none", Preset.MIXED), PLAN, None)
        expected, actual = (means_behind_biases(m, names, inputs) for m in (model, built))
        for layer, a, b in zip(layers, actual, expected, strict=True):
            if layer.op in shifts:
                np.testing.assert_allclose(a, b, atol=2e-5, err_msg=layer.op)
        assert shifts


def test_twice_the_same_bits_and_its_own_fingerprint():
    builder, _ = builder_for(conv_net(), images(20))
    assert snapshot(builder.build(PLAN)) == snapshot(builder.build(PLAN))
    fast = Plan.quantized(Recipe(**{**_fields(PLAN.quantization.recipe), "bias_correction": BiasCorrection.NONE}))
    assert builder.fingerprint(PLAN) != builder.fingerprint(fast)


def _fields(recipe):
    return {name: getattr(recipe, name) for name in recipe.__dataclass_fields__}


def test_what_was_measured_is_found_again_without_data(tmp_path):
    model = conv_net()
    placements = Placements.of(model)
    inputs = as_inputs(model, images(20))
    statistics = collect(model, placements, inputs, needs=Needs.of([PLAN.quantization.recipe]))
    first = CandidateBuilder(model, placements, statistics, inputs, tmp_path).build(PLAN)
    again = CandidateBuilder(model, placements, statistics, cache=tmp_path).build(PLAN)
    assert snapshot(again) == snapshot(first)


def test_without_data_it_is_refused():
    model = conv_net()
    placements = Placements.of(model)
    statistics = collect(model, placements, as_inputs(model, images(5)), needs=Needs.of([PLAN.quantization.recipe]))
    with pytest.raises(PlanError, match="'accurate' runs the candidate on calibration data, but there are none"):
        CandidateBuilder(model, placements, statistics).build(PLAN)


def test_a_model_with_state_is_corrected_as_it_runs_after_a_reset():
    model, data = memory_net(), np.random.default_rng(0).normal(0, 1, (5, 1, 8)).astype(np.float32)
    builder, _ = builder_for(model, list(data))
    count = builder.resolve(PLAN).corrected_on
    means = []
    for network in (model, builder.build(PLAN), builder.build(Plan.quantized(Recipe(bias_correction="none")))):
        request = ov.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
        rows = []
        for x in data[:count]:
            request.reset_state()
            rows.append(request.infer(x)[0].copy())
        means.append(np.mean(rows, axis=0))
    wanted, corrected, uncorrected = means
    assert np.abs(corrected - wanted).max() < 0.01 * np.abs(uncorrected - wanted).max()
