"""State between inferences: forgotten before each sample, or kept by who feeds a sequence in steps."""

import numpy as np
import openvino as ov
import pytest
from networks import memory_net
from openvino import opset13 as ops

import autoq
from autoq.calibration import Needs, as_inputs, collect, required_taps
from autoq.core import Plan, Recipe
from autoq.evaluation.device import RuntimeConfig, model_outputs
from autoq.evaluation.distortion import distortion
from autoq.graph import Placements, analyze
from autoq.transform import quantize_model

DATA = [np.random.default_rng(i).normal(0, 1, (1, 8)).astype(np.float32) for i in range(30)]
RESETS = pytest.mark.parametrize("reset_state", ["sample", "never"])


def outputs(network, reset_state, data=DATA):
    """What OpenVINO computes, one sample after the other."""
    request = ov.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    found = []
    for x in data:
        if reset_state == "sample":
            request.reset_state()
        found.append(request.infer(x)[0].copy())
    return found


def negative_error(out, target):
    return -float(np.abs(out[0] - target).max())


@RESETS
def test_a_model_is_scored_with_the_state_that_was_asked_for(reset_state):
    model = memory_net()
    wanted = outputs(model, reset_state)
    same = autoq.evaluate(
        model,
        list(zip(DATA, wanted, strict=True)),
        metric=negative_error,
        reset_state=reset_state,
        inference_precision="f32",
    )
    assert np.abs(same.scores).max() < 1e-4
    other = outputs(model, "never" if reset_state == "sample" else "sample")
    assert np.abs(np.array(wanted) - np.array(other)).max() > 1


@RESETS
def test_statistics_are_of_the_state_that_was_asked_for(reset_state):
    model = memory_net()
    graph = analyze(model)
    statistics = collect(model, [graph], as_inputs(model, DATA), reset_state=reset_state)
    tap = next(
        tap for tap in required_taps([graph], Needs()) if (tap.tensor.producer, tap.statistic) == ("grown", "max")
    )
    clone = model.clone()
    grown = next(node for node in clone.get_ops() if node.get_friendly_name() == "grown")
    watched = ov.Model([ops.result(grown)], clone.get_sinks(), clone.get_parameters(), "watched")
    expected = np.array(outputs(watched, reset_state))[:, 0].max(axis=tuple(range(1, 1 + (tap.axis is None))))
    np.testing.assert_allclose(statistics.of(tap, 99).squeeze(), expected, rtol=1e-4)


def test_statistics_of_one_habit_are_not_taken_for_the_other(tmp_path):
    model = memory_net()
    limits = [
        {
            node.get_friendly_name(): node.input_value(2).get_node().data.item()
            for node in autoq.quantize(model, DATA, reset_state=habit, cache=tmp_path, fold_weights=False).get_ops()
            if node.get_type_name() == "FakeQuantize" and "weights" not in node.get_friendly_name()
        }
        for habit in ("sample", "never", "sample")
    ]
    assert limits[0] == limits[2]
    assert max(limits[1].values()) > 2 * max(limits[0].values())


@RESETS
def test_distortions_are_of_the_state_that_was_asked_for(reset_state):
    """All units at once by switches, beside the quantized model run by OpenVINO."""
    model = memory_net()
    report = autoq.sensitivity(model, DATA, reset_state=reset_state, samples=12, bias_correction=False, progress=False)
    plan = Plan.quantized(Recipe(bias_correction="none"))
    placements = Placements.of(model)
    statistics = collect(model, placements, as_inputs(model, DATA), reset_state=reset_state)
    quantized = quantize_model(model, placements, plan, statistics)
    runs = [[[x] for x in outputs(network, reset_state, DATA[:12])] for network in (model, quantized)]
    assert report.whole == pytest.approx(distortion(*runs), rel=1e-2)
    exact = RuntimeConfig.from_dict({"inference_precision": "f32", "reset_state": reset_state})
    for ours, theirs in zip(model_outputs(quantized, DATA[:12], exact), runs[1], strict=True):
        np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)


@RESETS
def test_searches_and_accuracy_control_go_through(reset_state):
    model = memory_net()
    pairs = list(zip(DATA, outputs(model, reset_state), strict=True))
    result = autoq.search(
        model,
        calibration=DATA,
        validation=pairs,
        metric=negative_error,
        max_drop=1e9,
        n_trials=3,
        reset_state=reset_state,
        tracking_uri="off",
        progress=False,
        isolate=False,
        space={"subset_sizes": [24], "sampler": "random"},
    )
    assert not [record.error for record in result.records if record.error]
    assert result.info.float_accuracy.mean > -1e-3
    assert result.records[0].evaluation.accuracy.n == len(pairs)
    found = autoq.quantize_with_accuracy_control(
        model, DATA, pairs, metric=negative_error, max_drop=1e9, reset_state=reset_state, progress=False
    )
    assert any(node.get_type_name() == "FakeQuantize" for node in found.get_ops())


def test_what_runs_samples_apart_does_not_go_with_a_sequence():
    with pytest.raises(autoq.AutoqError, match="fast_bias_correction=False runs samples separately"):
        autoq.quantize(memory_net(), DATA, fast_bias_correction=False, reset_state="never")
    with pytest.raises(autoq.AutoqError, match="reset state 'step' is unknown"):
        autoq.quantize(memory_net(), DATA, reset_state="step")
