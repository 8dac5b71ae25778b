"""Plans as Optuna parameters and back."""

import itertools

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoq.core import Precision
from autoq.searching.sampler._encoding import Encoding
from autoq.searching.sensitivity import Knowledge
from autoq.searching.space import SearchSpace
from autoq.searching.space._parameters import Dimensions

UNITS = {"a": ["a"], "b/c": ["b1", "b2"]}
SPACE = SearchSpace.load(
    {
        "presets": ["performance", "mixed"],
        "range_estimators": ["mean_min_max", "mse"],
        "bias_corrections": ["fast", "none"],
        "subset_sizes": [10, 20],
        "smooth_quant_alphas": [0.5, None],
        "per_unit": ["range_estimators", "smooth_quant_alphas"],
    }
)
DIMENSIONS = Dimensions.of(SPACE, UNITS)
ENCODING = Encoding.of_dimensions(DIMENSIONS)


@given(st.data())
def test_parameters_make_the_plan_that_they_were_made_of(data):
    parameters = {name: data.draw(st.sampled_from(choices)) for name, choices in ENCODING.fields.items()}
    parameters |= {f"precision/{unit}": data.draw(st.sampled_from(["int8", "float"])) for unit in UNITS}
    plan = DIMENSIONS.plan(parameters)
    assert DIMENSIONS.plan(DIMENSIONS.parameters(plan)) == plan
    for unit, groups in UNITS.items():
        for group in groups:
            own = plan.quantization.recipe_of(group)
            if plan.quantization.precision(group) is Precision.INT8:
                assert str(own.range_estimator.to_plain()) == parameters[f"range_estimator/{unit}"]
                assert own.smooth_quant_alpha == parameters[f"smooth_quant_alpha/{unit}"]
            assert own.preset == parameters["preset"]


@pytest.mark.parametrize("per_unit", [[], ["range_estimators"], ["range_estimators", "smooth_quant_alphas"]])
def test_as_many_plans_are_counted_as_there_are(per_unit):
    dimensions = Dimensions.of(SPACE.model_copy(update={"per_unit": tuple(per_unit)}), UNITS)
    encoding = Encoding.of_dimensions(dimensions)
    names = [*encoding.fields, *(f"precision/{unit}" for unit in UNITS)]
    every = itertools.product(*encoding.fields.values(), *[["int8", "float"]] * len(UNITS))
    plans = {dimensions.plan(dict(zip(names, made, strict=True))) for made in every}
    assert len(plans) == dimensions.cardinality


def test_optuna_is_asked_for_what_the_encoding_has():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    trial = study.ask()
    DIMENSIONS.suggest(trial)
    assert set(trial.params) == {*ENCODING.fields, *(f"precision/{unit}" for unit in UNITS)}
    known = {f"precision/{unit}": {"int8": 1.0} for unit in UNITS}
    found = Encoding.of(trial.distributions, Knowledge(distortion=known, gains={}, whole=1.0))
    assert (found.fields, found.units) == (ENCODING.fields, ENCODING.units)
    assert dict(zip(ENCODING.fields, ENCODING.owned, strict=True))["range_estimator/b/c"] == ("range_estimator", 1)
