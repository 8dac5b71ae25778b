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
