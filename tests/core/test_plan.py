import dataclasses
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoq.core import (
    PRECISIONS,
    Aggregator,
    BiasCorrection,
    OverflowFix,
    PlanError,
    Precision,
    Preset,
    QuantizationPlan,
    QuantizerScheme,
    RangeEnd,
    RangeEstimator,
    Recipe,
    RuntimePrecision,
    SampleStatistic,
)

ENDS = st.builds(
    RangeEnd,
    statistic=st.sampled_from(sorted(set(SampleStatistic) - {SampleStatistic.RAW})),
    aggregator=st.sampled_from(["min", "max", "mean", "median", "mean_no_outliers", "median_no_outliers"]).map(
        Aggregator
    ),
    outlier_probability=st.floats(1e-6, 0.4),
)
ESTIMATORS = st.sampled_from(list(RangeEstimator.named().values())) | st.builds(RangeEstimator, ENDS, ENDS)
BITS = st.none() | st.integers(2, 8)
SIDES = st.none() | st.booleans()
SCHEMES = st.builds(QuantizerScheme, bits=BITS, symmetric=st.just(False)) | st.builds(
    QuantizerScheme, bits=BITS, symmetric=st.none() | st.just(True), signed=SIDES, narrow_range=SIDES
)
COMMON = {
    "range_estimator": ESTIMATORS,
    "subset_size": st.integers(1, 1000),
    "bias_correction": st.sampled_from(BiasCorrection),
    "overflow_fix": st.sampled_from(OverflowFix),
    "smooth_quant_alpha": st.none() | st.floats(0, 1),
    "ignored_scope": st.text(max_size=5),
    "runtime_precision": st.sampled_from(RuntimePrecision),
}
REDUCTIONS = ESTIMATORS.filter(lambda estimator: estimator.search is None)
RECIPES = st.builds(
    Recipe,
    activations=SCHEMES,
    weights=SCHEMES,
    preset=st.sampled_from(Preset),
    weight_range_estimator=REDUCTIONS | st.just(RangeEstimator.MSE),
    **COMMON,
) | st.builds(
    Recipe,
    mode=st.sampled_from([Precision.FP8_E4M3, Precision.FP8_E5M2]),
    weight_range_estimator=REDUCTIONS,
    **COMMON,
)
GROUPS = st.text(max_size=5)
CHOICES = st.fixed_dictionaries(
    {},
    optional={
        "preset": st.sampled_from(Preset),
        "range_estimator": ESTIMATORS,
        "overflow_fix": st.sampled_from(OverflowFix),
        "smooth_quant_alpha": st.none() | st.floats(0, 1),
    },
)
PRECISIONS_BY_NAME = PRECISIONS
PRECISIONS = st.dictionaries(GROUPS, st.sampled_from(sorted(PRECISIONS.values(), key=str)))
PLANS = st.builds(QuantizationPlan, RECIPES, PRECISIONS) | st.builds(
    QuantizationPlan, st.just(Recipe()), PRECISIONS, st.dictionaries(GROUPS, CHOICES)
)


@given(PLANS)
def test_a_plan_survives_json_and_pickle(plan):
    assert QuantizationPlan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    assert pickle.loads(pickle.dumps(plan)) == plan  # noqa: S301  # our own bytes
    assert hash(QuantizationPlan.from_dict(plan.to_dict())) == hash(plan)


def test_the_order_of_groups_does_not_matter():
    a = QuantizationPlan(precisions={"x": Precision.FLOAT, "y": Precision.INT8})
    b = QuantizationPlan(precisions={"y": Precision.INT8, "x": Precision.FLOAT})
    assert a == b
    assert json.dumps(a.to_dict()) == json.dumps(b.to_dict())


def test_a_plan_cannot_be_changed():
    given_precisions = {"x": Precision.FLOAT}
    plan = QuantizationPlan(precisions=given_precisions)
    given_precisions["x"] = Precision.INT8
    assert plan.precision("x") is Precision.FLOAT
    with pytest.raises(TypeError):
        plan.precisions["x"] = Precision.INT8


def test_a_group_that_is_not_named_is_quantized_to_the_mode():
    plan = QuantizationPlan(precisions={"x": Precision.FLOAT})
    assert plan.precision("other") is Precision.INT8
    assert QuantizationPlan(Recipe(mode=Precision.FP8_E4M3)).precision("other") is Precision.FP8_E4M3
    assert plan.float_groups == {"x"}


@given(st.dictionaries(GROUPS, CHOICES), PRECISIONS)
def test_a_group_has_the_recipe_of_the_plan_but_for_what_it_chooses(choices, precisions):
    plan = QuantizationPlan(Recipe(overflow_fix=OverflowFix.DISABLE), precisions, choices)
    for group in [*choices, *precisions, "another group"]:
        for field in dataclasses.fields(Recipe):
            own = {} if plan.precision(group) is Precision.FLOAT else choices.get(group, {})
            assert getattr(plan.recipe_of(group), field.name) == own.get(field.name, getattr(plan.recipe, field.name))


def test_plans_that_say_the_same_are_equal():
    recipe = Recipe(preset=Preset.MIXED)
    plain = QuantizationPlan(recipe, {"x": Precision.FLOAT})
    said_twice = QuantizationPlan(recipe, {"x": Precision.FLOAT}, {"y": {"preset": Preset.MIXED}})
    of_float = QuantizationPlan(recipe, {"x": Precision.FLOAT}, {"x": {"preset": Preset.PERFORMANCE}})
    assert plain == said_twice == of_float
    assert "choices" not in plain.to_dict()
    other = QuantizationPlan(recipe, {"x": Precision.FLOAT}, {"y": {"preset": Preset.PERFORMANCE}})
    assert other != plain
    with pytest.raises(TypeError):
        other.choices["y"]["preset"] = Preset.MIXED


LATENCY = {"ignored_scope": "head", "runtime_precision": "f32", "mode": "fp8_e4m3"}
NUMBERS = {
    "preset": "mixed",
    "range_estimator": "min_max",
    "weight_range_estimator": "mse",
    "subset_size": 20,
    "bias_correction": "none",
    "overflow_fix": "disable",
    "smooth_quant_alpha": 0.5,
}


@pytest.mark.parametrize("name", [*LATENCY, *NUMBERS])
def test_what_models_compute_in_depends_on_precisions_alone(name):
    precisions = {"x": Precision.FLOAT, "y": Precision.INT8}
    plain = QuantizationPlan(precisions=precisions)
    other = QuantizationPlan(Recipe.from_dict({name: (LATENCY | NUMBERS)[name]}), precisions)
    assert (plain.computes_in == other.computes_in) == (name in NUMBERS)


def test_groups_compute_in_what_they_are_said_to():
    plain = QuantizationPlan()
    assert QuantizationPlan(precisions={"x": Precision.INT8}).computes_in == plain.computes_in
    others = [QuantizationPlan(precisions={"x": p}).computes_in for p in (Precision.FLOAT, Precision.INT8_WEIGHTS)]
    others.append(QuantizationPlan(precisions={"y": Precision.FLOAT}).computes_in)
    assert len({plain.computes_in, *others}) == 4


def test_a_plan_in_words():
    usual = "int8, preset performance, ranges mean_min_max, of weights min_max, 300 samples, bias correction fast"
    assert QuantizationPlan().summary == usual
    assert QuantizationPlan().facts == {"groups in float": "none"}
    rare = Recipe(smooth_quant_alpha=0.25, ignored_scope="head", runtime_precision=RuntimePrecision.F32)
    assert QuantizationPlan(rare).summary == f"{usual}, SmoothQuant 0.25, ignored scope head, float runs in f32"
    plan = QuantizationPlan(
        precisions={"b": Precision.FLOAT, "a": Precision.FLOAT, "c": Precision.INT8},
        choices={"c": {"preset": Preset.MIXED, "smooth_quant_alpha": 0.5}, "d": {"overflow_fix": OverflowFix.DISABLE}},
    )
    assert plan.facts == {
        "groups in float": "a, b",
        "choices of groups": "c: preset mixed, smooth_quant_alpha 0.5; d: overflow_fix disable",
    }
    assert plan.settings == plan.recipe.to_dict()


def test_the_recipes_of_a_plan_are_told_once():
    own = {"preset": Preset.MIXED}
    plan = QuantizationPlan(choices={"x": own, "y": own, "z": {"smooth_quant_alpha": 0.5}})
    assert plan.recipes == (Recipe(), Recipe(preset=Preset.MIXED), Recipe(smooth_quant_alpha=0.5))


@given(RECIPES, st.sampled_from([p for p in PRECISIONS_BY_NAME.values() if not p.is_float]))
def test_under_a_precision_a_recipe_keeps_what_that_has_a_meaning_for(recipe, precision):
    own = recipe.under(precision)
    as_mode = dataclasses.replace(precision, weights_only=False)
    assert (own.mode.kind, own.mode.storage, own.mode.is_mode) == (as_mode.kind, as_mode.storage, True)
    if as_mode.storage == recipe.mode.storage:
        assert own is recipe
    kept = ["range_estimator", "subset_size", "bias_correction", "smooth_quant_alpha", "overflow_fix", "ignored_scope"]
    if precision.is_integer or not recipe.weight_range_estimator.search:
        kept.append("weight_range_estimator")
    else:
        assert own.weight_range_estimator is RangeEstimator.MIN_MAX
    if precision.is_integer:
        kept += ["activations", "weights", "preset"]
    else:
        assert own.preset is Preset.PERFORMANCE
        assert own.activations == own.weights == QuantizerScheme()
    assert [getattr(own, name) for name in kept] == [getattr(recipe, name) for name in kept]


@pytest.mark.parametrize(
    ("preset", "prescribed", "symmetric"),
    [
        (Preset.PERFORMANCE, None, True),
        (Preset.MIXED, None, False),
        (Preset.PERFORMANCE, False, False),
        (Preset.MIXED, True, True),
    ],
)
def test_activations_are_symmetric_as_prescribed_or_else_by_the_preset(preset, prescribed, symmetric):
    recipe = Recipe(preset=preset, activations=QuantizerScheme(symmetric=prescribed))
    assert recipe.symmetric is symmetric
    assert recipe.placement is (Preset.PERFORMANCE if symmetric else Preset.MIXED)


def test_bounds_are_allowed_themselves():
    for bits in (2, 16):
        assert QuantizerScheme(bits=bits).width(Precision.INT8) == bits
    assert QuantizerScheme().width(Precision.FLOAT) == 32
    for alpha in (0, 1):
        assert Recipe(smooth_quant_alpha=alpha, subset_size=1).smooth_quant_alpha == alpha
    kl = Recipe(range_estimator=RangeEstimator.KL, activations=QuantizerScheme(bits=11))
    assert kl.activations.bits == 11


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"recipes": {}}, "Plan key 'recipes' is unknown: did you mean 'recipe'"),
        ({"choices": {"x": {"subset_size": 3}}}, "group 'x' cannot choose 'subset_size' for itself"),
        (
            {"choices": {"x": {"presets": "mixed"}}},
            "cannot choose 'presets' for itself: did you mean 'preset'",
        ),
        ({"choices": {"x": {"preset": "mix"}}}, "preset 'mix' is unknown"),
        ({"choices": {"x": {"smooth_quant_alpha": 2}}}, r"smooth_quant_alpha must be in \[0, 1\] or None, got 2"),
        ({"choices": {"x": {"bias_correction": "accurate"}}}, "group 'x' cannot choose its bias correction if that"),
        (
            {"recipe": {"bias_correction": "accurate"}, "choices": {"x": {"bias_correction": "none"}}},
            "if that is 'accurate', which is for all layers",
        ),
        ({"recipe": {"mode": "fp8_e4m3"}, "choices": {"x": {"preset": "mixed"}}}, "mode 'fp8_e4m3' has no zero points"),
        ({"recipe": {"presets": "mixed"}}, "Recipe key 'presets' is unknown: did you mean 'preset'"),
        ({"recipe": {"preset": "mix"}}, "preset 'mix' is unknown"),
        ({"recipe": {"subset_size": 0}}, "subset_size is 0: it must be a whole number of at least 1"),
        ({"recipe": {"smooth_quant_alpha": 1.5}}, r"smooth_quant_alpha must be in \[0, 1\] or None, got 1.5"),
        ({"recipe": {"mode": "float"}}, "mode is 'float': a recipe says how to quantize"),
        ({"recipe": {"mode": "int8_weights"}}, "mode is 'int8_weights': a recipe says how to quantize"),
        ({"recipe": {"weights": {"bit": 8}}}, "quantizer scheme key 'bit' is unknown: did you mean 'bits'"),
        ({"recipe": {"weights": {"bits": "8"}}}, "quantizer scheme: bits is '8': write a number"),
        ({"recipe": {"activations": {"symmetric": 1}}}, "symmetric is 1: write true or false"),
        ({"recipe": {"weights": {"bits": 1}}}, "bits is 1: it must be from 2 to 16"),
        ({"recipe": {"weights": {"bits": 17}}}, "bits is 17: it must be from 2 to 16"),
        ({"recipe": {"weights": {"bits": True}}}, "quantizer scheme: bits is True: write a number"),
        ({"recipe": {"weights": {"symmetric": False, "signed": False}}}, "signed goes with symmetric quantizers"),
        ({"recipe": {"smooth_quant_alpha": -0.1}}, r"smooth_quant_alpha must be in \[0, 1\] or None, got -0.1"),
        ({"recipe": {"smooth_quant_alpha": True}}, r"smooth_quant_alpha must be in \[0, 1\] or None, got True"),
        ({"recipe": {"ignored_scope": 3}}, "ignored_scope is 3: it must be the name of a scope"),
        (
            {"recipe": {"range_estimator": "kl", "activations": {"bits": 12}}},
            "'kl' tells levels of 11 bits apart, not of 12",
        ),
        ({"recipe": {"mode": "fp8_e5m2", "weight_range_estimator": "mse"}}, "only 'mse' is for weights, as integers"),
        ({"recipe": {"mode": "fp8_e5m2", "activations": {"bits": 4}}}, "activations prescribe {'bits': 4}"),
        ({"precisions": ["x"]}, r"Plan key 'precisions' is \['x'\]: it must be a mapping of names of groups"),
        ({"precisions": {1: "int8"}}, "it must be a mapping of names of groups"),
        ({"choices": {"x": "mixed"}}, "what group 'x' chooses must be a mapping"),
        ({"recipe": {"weights": {"symmetric": False, "narrow_range": True}}}, "narrow_range goes with symmetric"),
        ({"recipe": {"activations": {"per_channel": True}}}, "activations are per channel only where a depthwise"),
        ({"recipe": {"weight_range_estimator": "kl"}}, "weight_range_estimator is 'kl': of the searches, only 'mse'"),
        (
            {"recipe": {"range_estimator": "kl", "activations": {"bits": 16}}},
            "'kl' tells levels of 11 bits apart, not of 16",
        ),
        ({"recipe": {"mode": "fp8_e4m3", "preset": "mixed"}}, "mode 'fp8_e4m3' has no zero points"),
        ({"recipe": {"mode": "fp8_e4m3", "weights": {"bits": 4}}}, "weights prescribe {'bits': 4}: mode 'fp8_e4m3'"),
        ({"precisions": {"x": "int7"}}, "precision 'int7' is unknown"),
    ],
)
def test_what_a_plan_does_not_understand_is_named(values, message):
    with pytest.raises(PlanError, match=message):
        QuantizationPlan.from_dict(values)
