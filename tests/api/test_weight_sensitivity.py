"""Sensitivities of weights, beside models in which one weight alone is rounded."""

import warnings

import numpy as np
import openvino as ov
import pytest
from weighted_nets import decoder

import autoq
from autoq.core import CompressionPlan, CompressionRecipe, DistortionMeasure, ModelError, PlanError, WeightFormat
from autoq.evaluation.device import RuntimeConfig, model_outputs
from autoq.evaluation.distortion import distortion

MODEL = decoder("f32", tied=False)
WINDOWS = [np.random.default_rng(seed).integers(0, 80, (1, 12)) for seed in range(6)]
WORDS = ["int4_sym g32", "int8_asym", "nf4 g32"]
IN_F32 = RuntimeConfig(properties={"DYNAMIC_QUANTIZATION_GROUP_SIZE": "0", "INFERENCE_PRECISION_HINT": "f32"})


@pytest.fixture(scope="module")
def report():
    return autoq.sensitivity(MODEL, WINDOWS, weight_formats=WORDS, progress=False)


def alone(name, word):
    """The distortion of a model in which one weight is rounded, by compress_weights and OpenVINO."""
    recipe = CompressionRecipe(format=WeightFormat.parse(word))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="OpenVINO's CPU decompresses")
        built = autoq.compress_weights(MODEL, plan=CompressionPlan(recipe, {name: WeightFormat.parse(word)}))
    feeds = [{0: window} for window in WINDOWS]
    outputs = [model_outputs(model, feeds, IN_F32) for model in (MODEL, built)]
    return distortion(*outputs, DistortionMeasure.NMSE)


def test_the_first_format_is_measured(report):
    assert len(report.units) == 11
    for unit in report.units[::4]:
        assert unit.distortion == pytest.approx(alone(unit.unit, WORDS[0]), rel=0.02)
    ranking = [unit.distortion for unit in report.units]
    assert ranking == sorted(ranking, reverse=True)


@pytest.mark.slow
def test_other_formats_follow_from_the_errors_of_the_layer(report):
    for word in WORDS[1:]:
        ratios = [unit.others[word] / alone(unit.unit, word) for unit in report.units]
        assert 1 / 3 < np.median(ratios) < 3


@pytest.mark.slow
def test_a_folder_keeps_what_was_seen_and_rounded(report, tmp_path, monkeypatch):
    def measured():
        return autoq.sensitivity(MODEL, WINDOWS, weight_formats=WORDS, cache=tmp_path / "kept", progress=False)

    def refuse(*_, **__):
        pytest.fail("it was done again")

    first = measured()
    monkeypatch.setattr("autoq.calibration.collecting._kept.collected_grams", refuse)
    monkeypatch.setattr("autoq.transform.by_data.DataEncoder.__call__", refuse)
    assert [unit.distortion for unit in measured().units] == [unit.distortion for unit in first.units]
    assert [unit.unit for unit in first.units] == [unit.unit for unit in report.units]


def test_the_most_sensitive_ones_are_a_scope_for_compression(report):
    scope = report.ignored_scope(count=2)
    assert set(scope.names) == {op for unit in report.units[:2] for op in unit.ops}
    small = autoq.compress_weights(MODEL, mode="int8_asym", ignored_scope=scope)
    stored = [op for op in small.get_ops() if op.get_type_name() == "Constant" and op.get_element_type() == ov.Type.u8]
    # A weight and its zero points.
    assert len(stored) == 2 * (len(report.units) - 2)


def test_what_cannot_be_measured_is_told():
    with pytest.raises(PlanError, match="int5"):
        autoq.sensitivity(MODEL, WINDOWS, weight_formats="int5", progress=False)
    with pytest.raises(ModelError, match="no weight that takes one of the formats int4_sym g3"):
        autoq.sensitivity(MODEL, WINDOWS, weight_formats="int4_sym g3", progress=False)
