"""Candidates: what stands, what the numbers are, what OpenVINO computes from them."""

import dataclasses

import numpy as np
import openvino as ov
import pytest
from graph_models import MODELS
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import conv_net, images, rows, run, snapshot, token_net

from autoq.calibration import Needs, as_inputs, collect
from autoq.core import (
    BiasCorrection,
    ModelType,
    OverflowFix,
    Plan,
    PlanError,
    Precision,
    Preset,
    RangeEstimator,
    Recipe,
    RuntimePlan,
    RuntimePrecision,
)
from autoq.graph import IgnoredScope, Placements, SiteKind
from autoq.transform import CandidateBuilder, quantize_model

DATA = images(12)
PLAIN = Recipe(bias_correction=BiasCorrection.NONE, subset_size=12)


NEEDS = Needs(estimators=frozenset(RangeEstimator.named().values()))


def builder_for(model, data=DATA, scopes=None, **settings_):
    placements = Placements.of(model, scopes, **settings_)
    statistics = collect(model, placements, as_inputs(model, data), needs=NEEDS)
    return CandidateBuilder(model, placements, statistics), placements.reference


def fakes(model):
    return {op.get_friendly_name(): op for op in model.get_ops() if op.get_type_name() == "FakeQuantize"}


def limits_of(fake):
    return [np.asarray(fake.input_value(port).get_node().data) for port in (1, 2, 3, 4)]


def test_quantizers_stand_where_the_graph_says():
    model = conv_net()
    builder, graph = builder_for(model)
    built = builder.build(Plan.quantized(PLAIN), fold_weights=False)
    assert set(fakes(built)) == {site.name for site in graph.sites}
    for site in graph.sites:
        fake = fakes(built)[site.name]
        readers = {(t.get_node().get_friendly_name(), t.get_index()) for t in fake.output(0).get_target_inputs()}
        assert readers == set(site.consumers)
        low, high, out_low, out_high = limits_of(fake)
        np.testing.assert_array_equal(low, out_low)
        np.testing.assert_array_equal(high, out_high)
        expected = tuple(size if axis in site.channel_axes else 1 for axis, size in enumerate(site.shape))
        assert low.shape == (expected if site.channel_axes or site.kind is SiteKind.WEIGHT else ())


def test_the_model_is_left_as_it_was():
    model = conv_net()
    before = snapshot(model)
    builder, _ = builder_for(model)
    builder.build(Plan.quantized(Recipe(subset_size=12)))
    assert snapshot(model) == before


def test_building_twice_gives_the_same_bits():
    builder, _ = builder_for(conv_net())
    plan = Plan.quantized(Recipe(subset_size=12, preset=Preset.MIXED))
    assert snapshot(builder.build(plan)) == snapshot(builder.build(plan))


@pytest.mark.parametrize("overflow_fix", list(OverflowFix))
def test_folded_weights_are_the_same_numbers(overflow_fix):
    """Integers behind a scale are, to the last step, what OpenVINO's FakeQuantize makes of the floats."""
    builder, graph = builder_for(conv_net())
    plan = Plan.quantized(Recipe(subset_size=12, overflow_fix=overflow_fix))
    folded = {op.get_friendly_name(): op for op in builder.build(plan).get_ops()}
    unfolded = {op.get_friendly_name(): op for op in builder.build(plan, fold_weights=False).get_ops()}
    for site in graph.weights:
        assert folded[site.name].input_value(0).get_node().input_value(0).get_element_type() == ov.Type.i8
        np.testing.assert_allclose(_evaluated(folded[site.name]), _evaluated(unfolded[site.name]), atol=1e-6)


def _evaluated(node):
    """Value of an operation that depends on constants alone, computed by OpenVINO."""
    if node.get_type_name() == "Constant":
        return node.data
    inputs = [ov.Tensor(np.ascontiguousarray(_evaluated(value.get_node()))) for value in node.input_values()]
    output = ov.Tensor(node.output(0).get_element_type(), node.output(0).shape)
    assert node.evaluate([output], inputs)
    return np.array(output.data)


def test_a_plan_without_quantizers_is_the_float_model():
    builder, graph = builder_for(conv_net())
    plan = Plan.quantized(PLAIN, dict.fromkeys([g.name for g in graph.groups], Precision.FLOAT))
    assert builder.fingerprint(plan) == "float"
    np.testing.assert_array_equal(run(builder.build(plan), DATA[:1]), run(conv_net(), DATA[:1]))


@pytest.mark.parametrize("preset", list(Preset))
def test_all_groups_in_float_are_the_float_model_under_every_preset(preset):
    model = MODELS["two_embeddings"]()
    inputs = as_inputs(model, [(np.full((1, 6), n, np.int64), np.full((1, 6), n % 3, np.int64)) for n in range(4)])
    placements = Placements.of(model)
    builder = CandidateBuilder(model, placements, collect(model, placements, inputs, subset_size=4))
    groups = [group.name for group in placements.reference.groups]
    plan = Plan.quantized(Recipe(preset=preset, subset_size=4), dict.fromkeys(groups, Precision.FLOAT))
    assert builder.fingerprint(plan) == "float"


@pytest.mark.parametrize("index", range(3))
def test_a_float_group_loses_all_its_quantizers_and_no_other(index):
    builder, graph = builder_for(conv_net())
    group = graph.groups[index]
    built = builder.build(Plan.quantized(PLAIN, {group.name: Precision.FLOAT}), fold_weights=False)
    assert set(fakes(built)) == {site.name for site in graph.sites} - set(group.sites)


def test_plans_that_build_the_same_model_have_one_fingerprint():
    model = conv_net()
    builder, graph = builder_for(model, scopes={"head": IgnoredScope(names=["head"])})
    one = builder.fingerprint(Plan.quantized(PLAIN, {"head": Precision.FLOAT}))
    other = builder.fingerprint(Plan.quantized(Recipe(**{**_fields(PLAIN), "ignored_scope": "head"})))
    assert one == other
    assert "head" in {group.name for group in graph.groups}
    same = builder.fingerprint(Plan.quantized(Recipe(**{**_fields(PLAIN), "subset_size": 5000})))
    assert same == builder.fingerprint(Plan.quantized(PLAIN))


def _fields(recipe):
    return {name: getattr(recipe, name) for name in recipe.__dataclass_fields__}


@pytest.mark.parametrize(
    "change",
    [
        {"preset": Preset.MIXED},
        {"subset_size": 3},
        *({"range_estimator": e} for e in RangeEstimator.named().values() if e != PLAIN.range_estimator),
        {"bias_correction": BiasCorrection.FAST},
        {"overflow_fix": OverflowFix.ENABLE},
        {"overflow_fix": OverflowFix.DISABLE},
        {"runtime_precision": RuntimePrecision.F32},
    ],
)
def test_every_choice_that_changes_the_model_changes_the_fingerprint(change):
    builder, _ = builder_for(conv_net())
    changed = Recipe(**{**_fields(PLAIN), **change})
    assert builder.fingerprint(Plan.quantized(changed)) != builder.fingerprint(Plan.quantized(PLAIN))


@pytest.mark.parametrize("changed", [{"dynamic_quantization_group_size": 0}, {"kv_cache_precision": "u8"}])
def test_a_candidate_that_runs_otherwise_is_another_one_built_alike(changed):
    builder, graph = builder_for(conv_net())
    own = RuntimePlan(**changed)
    for plan in (Plan.quantized(PLAIN), Plan.quantized(PLAIN, {group.name: Precision.FLOAT for group in graph.groups})):
        other = plan.having(own)
        assert builder.fingerprint(other) not in {builder.fingerprint(plan), "float"}
        assert builder.fingerprint(plan.having(RuntimePlan())) == builder.fingerprint(plan)
        np.testing.assert_array_equal(run(builder.build(other), images(1)), run(builder.build(plan), images(1)))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan.quantized(PLAIN, {"conv1": Precision.FLOAT}), "group 'conv1', which the model does not have: did you"),
        (Plan.quantized(Recipe(ignored_scope="heads")), "ignored scope 'heads', which is not defined"),
    ],
)
def test_a_plan_of_another_model_is_refused(plan, message):
    builder, _ = builder_for(conv_net())
    with pytest.raises(PlanError, match=message):
        builder.build(plan)


@settings(deadline=None, max_examples=15)
@given(
    channels=st.integers(2, 6),
    depthwise=st.booleans(),
    seed=st.integers(0, 1000),
    preset=st.sampled_from(Preset),
    fold=st.booleans(),
)
def test_quantized_models_stay_close_to_float(channels, depthwise, seed, preset, fold):
    model = conv_net(channels=channels, depthwise=depthwise, seed=seed)
    before = snapshot(model)
    data = images(4, seed=seed)
    placements = Placements.of(model)
    statistics = collect(model, placements, as_inputs(model, data))
    recipe = Recipe(preset=preset, range_estimator=RangeEstimator.MIN_MAX, overflow_fix=OverflowFix.ENABLE)
    quantized = quantize_model(model, placements, Plan.quantized(recipe), statistics, fold_weights=fold)
    expected = rows(model, data)
    actual = rows(quantized, data)
    # Activations are of the order of 1, weights have 6 bits of magnitude, and four layers add up.
    assert np.abs(actual - expected).max() <= 0.1 * max(1.0, np.abs(expected).max())
    assert snapshot(model) == before


@pytest.mark.parametrize("alpha", [None, 0.5])
@pytest.mark.parametrize("name", RangeEstimator.named())
def test_every_estimator_gives_ranges_within_the_extremes(name, alpha):
    data = [np.random.default_rng(n).integers(0, 16, (1, n)) for n in range(4, 8)]
    builder, _ = builder_for(token_net(), data, model_type="transformer")
    recipe = Recipe(range_estimator=RangeEstimator.parse(name), smooth_quant_alpha=alpha)
    widest = Recipe(range_estimator=RangeEstimator.MIN_MAX, smooth_quant_alpha=alpha)
    found, bounds = (
        {q.name: q.numbers for q in builder.resolve(Plan.quantized(r)).quantizers if q.kind is SiteKind.ACTIVATION}
        for r in (recipe, widest)
    )
    assert found.keys() == bounds.keys()
    for site, limits in found.items():
        assert 0 < limits.high * 0.99 <= bounds[site].high


def test_smooth_quant_keeps_the_float_function_and_evens_out_the_channels():
    model = token_net()
    data = [np.random.default_rng(n).integers(0, 16, (1, n)) for n in range(4, 12)]
    builder, _ = builder_for(model, data, model_type="transformer")
    base = Recipe(
        preset=Preset.MIXED,
        subset_size=8,
        bias_correction=BiasCorrection.NONE,
        overflow_fix=OverflowFix.ENABLE,  # CPUs without VNNI saturate otherwise, whatever the scales
    )
    smooth = Recipe(**{**_fields(base), "smooth_quant_alpha": 0.5})
    resolved = builder.resolve(Plan.quantized(smooth))
    assert {s.tensor.producer for s in resolved.smoothings} == {"spread", "gelu"}
    reference = np.concatenate([run(model, x)[0] for x in data])
    errors = {}
    for name, recipe in (("plain", base), ("smooth", smooth)):
        built = builder.build(Plan.quantized(recipe))
        errors[name] = np.mean((np.concatenate([run(built, x)[0] for x in data]) - reference) ** 2)
    assert errors["smooth"] < errors["plain"]


@pytest.mark.parametrize("tied", [False, True])
def test_smoothing_alone_changes_nothing(tied):
    """With its FakeQuantize nodes bypassed, the smoothed model is the float model; an embedding table too that is read
    a second time as a weight."""
    model = token_net(tied=tied)
    data = [np.random.default_rng(n).integers(0, 16, (1, n)) for n in range(4, 8)]
    builder, _ = builder_for(model, data, model_type="transformer")
    built = builder.build(
        Plan.quantized(Recipe(smooth_quant_alpha=0.5, bias_correction=BiasCorrection.NONE)), fold_weights=False
    )
    for fake in fakes(built).values():
        fake.output(0).replace(fake.input_value(0))
    np.testing.assert_allclose(run(built, data[0]), run(model, data[0]), rtol=1e-4, atol=1e-5)


def test_smoothing_keeps_out_of_what_is_ignored():
    model = token_net()
    data = [np.random.default_rng(n).integers(0, 16, (1, n)) for n in range(4, 8)]
    plan = Plan.quantized(Recipe(smooth_quant_alpha=0.5))
    smoothed = {}
    for scope in (None, IgnoredScope(names=["up"])):
        placements = Placements.of(model, {"none": scope}, model_type="transformer")
        builder = CandidateBuilder(model, placements, collect(model, placements, as_inputs(model, data)))
        smoothed[scope] = {s.tensor.producer for s in builder.resolve(plan).smoothings}
    assert smoothed == {None: {"spread", "gelu"}, IgnoredScope(names=["up"]): {"gelu"}}


OWN = {
    "preset": Preset.MIXED,
    "range_estimator": RangeEstimator.MIN_MAX,
    "weight_range_estimator": RangeEstimator.MSE,
    "overflow_fix": OverflowFix.ENABLE,
    "bias_correction": BiasCorrection.FAST,
}


@pytest.mark.parametrize("field", [*OWN, None])
@pytest.mark.parametrize("estimator", [RangeEstimator.MEAN_MIN_MAX, RangeEstimator.MSE])
def test_a_group_that_chooses_for_itself_is_quantized_as_if_all_had_chosen_so(field, estimator):
    own = OWN if field is None else {field: OWN[field]}
    builder, graph = builder_for(conv_net())
    recipe = dataclasses.replace(PLAIN, range_estimator=estimator)
    usual = builder.resolve(Plan.quantized(recipe))
    every = builder.resolve(Plan.quantized(recipe, choices={g.name: own for g in graph.groups}))
    by_name = [{q.name: q.numbers.identity for q in resolved.quantizers} for resolved in (usual, every)]
    for group in graph.groups:
        resolved = builder.resolve(Plan.quantized(recipe, choices={group.name: own}))
        for quantizer in resolved.quantizers:
            assert quantizer.numbers.identity == by_name[quantizer.name in group.sites][quantizer.name]
        expected = {op: shift for op, shift in every.shifts.items() if op in group.ops}
        assert resolved.shifts.keys() == expected.keys()
        for op, shift in expected.items():
            np.testing.assert_array_equal(resolved.shifts[op], shift)
    if "preset" not in own:  # which as a recipe's moves quantizers
        assert every.fingerprint == builder.fingerprint(Plan.quantized(dataclasses.replace(recipe, **own)))
    # What is resolved is what is built.
    plan = Plan.quantized(recipe, choices={graph.groups[0].name: own})
    resolved = builder.resolve(plan)
    built = fakes(builder.build(plan, fold_weights=False))
    for quantizer in resolved.quantizers:
        np.testing.assert_array_equal(limits_of(built[quantizer.name])[0].reshape(-1), quantizer.numbers.low)


def test_a_matmul_is_smoothed_as_strongly_as_its_group_chooses():
    model = token_net()
    rng = np.random.default_rng(0)
    placements = Placements.of(model, model_type=ModelType.TRANSFORMER)
    needs = Needs(estimators=NEEDS.estimators, smoothing=True)
    tokens = [rng.integers(0, 16, (1, 8)) for _ in range(6)]
    statistics = collect(model, placements, as_inputs(model, tokens), needs=needs)
    builder = CandidateBuilder(model, placements, statistics)
    groups = [group.name for group in placements.reference.groups]

    def smoothed(alpha, **own):
        plan = Plan.quantized(dataclasses.replace(PLAIN, smooth_quant_alpha=alpha), choices=own)
        return {s.layers: s.scale for s in builder.resolve(plan).smoothings}

    by_alpha = {alpha: smoothed(alpha) for alpha in (0.95, 0.3)}
    assert smoothed(None) == {}
    chosen = [group for group in groups if smoothed(None, **{group: {"smooth_quant_alpha": 0.3}})]
    assert chosen
    for group in chosen:
        alone = smoothed(None, **{group: {"smooth_quant_alpha": 0.3}})
        mixed = smoothed(0.95, **{group: {"smooth_quant_alpha": 0.3}})
        without = smoothed(0.95, **{group: {"smooth_quant_alpha": None}})
        assert mixed.keys() == by_alpha[0.95].keys() == alone.keys() | without.keys()
        assert not alone.keys() & without.keys()
        for layers, scale in mixed.items():
            np.testing.assert_array_equal(scale, by_alpha[0.3 if layers in alone else 0.95][layers])


def test_choices_of_a_group_that_does_not_exist():
    builder, _ = builder_for(conv_net())
    with pytest.raises(PlanError, match="names the group 'haed', which the model does not have: did you mean 'head'"):
        builder.resolve(Plan.quantized(PLAIN, choices={"haed": {"preset": Preset.MIXED}}))
