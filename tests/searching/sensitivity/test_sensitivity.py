import math
from dataclasses import replace

import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images
from openvino import opset13 as ops

from autoq.calibration import as_inputs, collect
from autoq.core import DeviceError, ModelType, OverflowFix, Plan, Precision, Recipe
from autoq.evaluation.device import RuntimeConfig, model_outputs
from autoq.evaluation.distortion import distortion, switched_distortions
from autoq.graph import Placements, neighbours
from autoq.searching.sensitivity import Sensitivities, alike, measure_restorations, measure_sensitivities
from autoq.transform import CandidateBuilder

RUNTIME = RuntimeConfig(properties={"INFERENCE_PRECISION_HINT": "f32"})
# Quantizers as they are written: integer kernels round some values of a small model to the other side.
UNFUSED = replace(RUNTIME, properties={**RUNTIME.properties, "LP_TRANSFORMS_MODE": "NO"})
# Kernels that saturate, those of CPUs without VNNI, would distort besides.
RECIPE = Recipe(subset_size=6, overflow_fix=OverflowFix.ENABLE)


class Device:
    """What sensitivities ask of an evaluator; `switches` says whether it runs a model with switches."""

    def __init__(self, *, switches=True, refuses=(), runtime=RUNTIME):
        self._switches, self._refuses, self._runtime = switches, refuses, runtime

    def switched_distortions(self, runs):
        if not self._switches:
            raise DeviceError("no such kernel")
        return switched_distortions(runs, self._runtime)

    def outputs(self, model, inputs, max_seconds=math.inf):
        names = {op.get_friendly_name() for op in model.get_ops()}
        if any(name in names for name in self._refuses):
            raise DeviceError("refused")
        return model_outputs(model, inputs, self._runtime)


@pytest.fixture(scope="module")
def made():
    model = conv_net()
    inputs = as_inputs(model, images(6))
    placements = Placements.of(model)
    builder = CandidateBuilder(model, placements, collect(model, placements, inputs, subset_size=6))
    units = {group.name: (group.name,) for group in placements.reference.groups}
    return model, inputs, placements, builder, units


def measured(made, device, **limits):
    model, inputs, placements, builder, units = made
    pairs = neighbours(model, placements.reference, units)
    return measure_sensitivities(builder, model, units, pairs, RECIPE, inputs=inputs, evaluator=device, **limits), pairs


def restored(made, device, **options):
    model, inputs, _, builder, units = made
    return measure_restorations(builder, model, units, RECIPE, inputs=inputs, evaluator=device, **options)


def by_candidates(made, int8, others=Precision.FLOAT, runtime=RUNTIME):
    model, inputs, _, builder, units = made
    plan = Plan.quantized(RECIPE, {u: Precision.INT8 if u in int8 else others for u in units})
    reference = model_outputs(model, list(inputs), runtime)
    return distortion(reference, model_outputs(builder.build(plan), list(inputs), runtime))


def test_switched_units_distort_as_the_candidates_do(made):
    found, pairs = measured(made, Device())
    units = made[4]
    for unit in units:
        assert found.alone[unit] == pytest.approx(by_candidates(made, {unit}), rel=0.02, abs=1e-9)
    assert found.whole == pytest.approx(by_candidates(made, set(units)), rel=0.02)
    for first, second in pairs:
        added = found.interactions[first, second] + found.alone[first] + found.alone[second]
        assert added == pytest.approx(by_candidates(made, {first, second}), rel=0.02, abs=1e-9)


def test_without_time_units_are_measured_on_one_input_and_pairs_are_not(made):
    found, pairs = measured(made, Device(), max_seconds=0.0, limit_s=0.0)
    one = (made[0], as_inputs(made[0], images(6)[:1]), *made[2:])
    alone, _ = measured(one, Device())
    assert found.alone == pytest.approx(alone.alone)
    assert found.interactions == {}
    assert set(alone.interactions) == set(pairs) != set()


def test_a_device_that_cannot_switch_measures_one_model_each_and_says_so(made):
    with pytest.warns(UserWarning, match="no such kernel"):
        found, _ = measured(made, Device(switches=False, refuses=["depthwise/fq_weights_1"]))
    assert found.alone["depthwise"] == float("inf")
    assert found.alone["conv_1"] == pytest.approx(by_candidates(made, {"conv_1"}), rel=1e-6)
    assert found.interactions == {}


@pytest.mark.parametrize("precision", [Precision.FLOAT, Precision.INT8_WEIGHTS])
def test_a_restored_unit_wins_back_what_its_candidate_does(made, precision):
    found = restored(made, Device(runtime=UNFUSED), restored=precision)
    units = set(made[4])
    whole = by_candidates(made, units, runtime=UNFUSED)
    assert set(found) == units
    for unit, won in found.items():
        expected = whole - by_candidates(made, units - {unit}, precision, UNFUSED)
        assert won == pytest.approx(expected, rel=0.02, abs=0.02 * whole)
    assert len({round(won / whole, 2) for won in found.values()}) > 2


def test_restored_units_without_switches_win_back_the_same_and_without_time_nothing(made):
    with pytest.warns(UserWarning, match="no such kernel"):
        found = restored(made, Device(switches=False, runtime=UNFUSED), workers=2)
    whole = by_candidates(made, made[4])
    assert found == pytest.approx(restored(made, Device(runtime=UNFUSED)), abs=0.02 * whole)
    with pytest.warns(UserWarning, match="no such kernel"):
        late = restored(made, Device(switches=False), limit_s=-1.0)
    assert late == dict.fromkeys(made[4], 0.0)


def test_a_set_of_units_is_predicted_by_the_sum_on_the_scale_of_the_whole():
    found = Sensitivities({"a": 3.0, "b": 2.0, "c": 1.0}, {("a", "b"): -1.0, ("b", "c"): 0.5}, 11.0, 0, 1)
    # All units add up to 6 - 1 + 0.5, half of the whole.
    assert found.predicted("abc") == pytest.approx(11)
    assert found.predicted("ab") == pytest.approx(8)
    assert found.predicted("ac") == pytest.approx(8)
    assert found.predicted("c") == pytest.approx(2)
    assert found.predicted("") == 0
    assert found.ranking == ["a", "b", "c"]


def test_what_cannot_run_is_infinite_and_leaves_the_rest_on_its_own_scale():
    found = Sensitivities({"a": 1.0, "b": float("inf")}, {}, float("inf"), 0, 1)
    assert (found.predicted("ab"), found.predicted("a"), found.ranking) == (float("inf"), 1.0, ["b", "a"])


def test_inputs_of_the_most_frequent_shape_are_taken():
    feeds = [{"x": np.zeros((1, n))} for n in (3, 5, 5, 4, 5)]
    assert [feed["x"].shape for feed in alike(feeds, 2)] == [(1, 5), (1, 5)]


@pytest.mark.parametrize(("blocks", "reach"), [(4, 3), (6, 1)])
def test_what_a_residual_connection_hands_on_makes_neighbours_as_long_as_they_are_few(blocks, reach):
    """Every operation that reads the stream reads what all blocks before have added to it."""
    rng = np.random.default_rng(0)
    stream = x = ops.parameter([1, 8], np.float32, "x")
    for block in range(blocks):
        weights = [ops.constant(rng.normal(size=(8, 8)).astype(np.float32)) for _ in range(2)]
        hidden = ops.matmul(ops.tanh(stream), weights[0], False, True, name=f"up_{block}")
        stream = ops.add(stream, ops.matmul(ops.tanh(hidden), weights[1], False, True, name=f"down_{block}"))
    model = ov.Model([ops.result(stream)], [x], "residual")
    graph = Placements.of(model, model_type=ModelType.TRANSFORMER).reference
    units = {f"block_{n}": [g.name for g in graph.groups if g.name.endswith(f"_{n}")] for n in range(blocks)}
    expected = {(f"block_{a}", f"block_{b}") for b in range(blocks) for a in range(max(b - reach, 0), b)}
    found = neighbours(model, graph, units)
    assert (set(found), len(found)) == (expected, len(expected))


def test_neighbours_are_units_with_no_other_in_between(made):
    model, _, placements, _, units = made
    found = {frozenset(pair) for pair in neighbours(model, placements.reference, units)}
    expected = [("conv_1", "depthwise"), ("depthwise", "conv_2"), ("pool", "head")]
    assert {frozenset(pair) for pair in expected} <= found
    assert frozenset({"conv_1", "head"}) not in found
    merged = {"front": ("conv_1", "depthwise"), "back": tuple(u for u in units if u not in {"conv_1", "depthwise"})}
    assert neighbours(model, placements.reference, merged) == (("front", "back"),)
