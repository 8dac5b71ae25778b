"""Strange plain values: recipes, plans, estimators, scopes, runtimes, limits, budgets, parameters of a quantization."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fuzz_values import anything, changed, numbers, texts
from fuzz_verdict import each, inputs, judged
from hypothesis import strategies as st
from networks import conv_net

import autoq
from autoq.api.measuring._budget import absolute_drop, latency_amount, size_amount
from autoq.api.measuring._check_budget import check_budget
from autoq.api.quantizing._settings import Settings
from autoq.core import AutoqError, Plan, QuantizerScheme, RangeEstimator, Recipe
from autoq.evaluation.device import RuntimeConfig
from autoq.graph import IgnoredScope
from autoq.searching.front import parse_rule

ESTIMATOR = {
    "minimum": {"statistic": "quantile", "aggregator": "mean", "outlier_probability": 1e-3},
    "maximum": {"statistic": "max", "aggregator": "mean"},
}
SCHEME = {"bits": 8, "symmetric": True, "signed": False, "narrow_range": True}
RECIPE = {
    "mode": "int8",
    "preset": "mixed",
    "range_estimator": ESTIMATOR,
    "weight_range_estimator": "mse",
    "activations": SCHEME,
    "weights": SCHEME,
    "subset_size": 300,
    "bias_correction": "fast",
    "overflow_fix": "disable",
    "smooth_quant_alpha": 0.5,
    "ignored_scope": "none",
    "runtime_precision": "f32",
}
PART = {
    "kind": "quantization",
    "recipe": RECIPE,
    "precisions": {"conv_1": "float", "conv_2": "int8"},
    "choices": {"conv_2": {"preset": "performance", "range_estimator": "min_max", "smooth_quant_alpha": 0.1}},
}
PLAN = {"version": 2, "parts": [PART]}
SCOPE = {
    "names": ["a", "b"],
    "patterns": ["c.*", "(d|e)"],
    "types": ["Add"],
    "subgraphs": [{"inputs": ["a"], "outputs": ["b"]}],
    "validate": False,
}
RUNTIME = {
    "device": "CPU",
    "performance_hint": "LATENCY",
    "num_threads": 1,
    "num_streams": 1,
    "inference_precision": "f32",
    "batch": 1,
    "input_shapes": {"image": [1, 3, 8, 8]},
    "properties": {"PERF_COUNT": "YES"},
    "reset_state": "sample",
}
PARAMETERS = {
    "preset": "mixed",
    "mode": "fp8_e4m3",
    "target_device": "CPU",
    "subset_size": 10,
    "fast_bias_correction": False,
    "model_type": "transformer",
    "ignored_scope": SCOPE,
    "overflow_fix": "disable",
    "smooth_quant_alpha": 0.5,
    "range_estimator": ESTIMATOR,
    "weight_range_estimator": "min_max",
    "activations": SCHEME,
    "weights": SCHEME,
    "precision": "f32",
    "reset_state": "never",
    "cache": "folder",
}
TYPES = {"conv_1": "Convolution", "a": "Add", "b": "Add", "c": "Relu"}
READERS = {"conv_1": ["a"], "a": ["b"], "b": ["c"], "c": []}


def plan_of(values: Any) -> None:
    """What is read is written as what is read again."""
    plan = Plan.from_dict(values)
    assert Plan.from_dict(plan.to_dict()) == plan
    hash(plan)


def scope_of(values: Any) -> None:
    scope = IgnoredScope.of(values)
    if scope is not None:
        scope.resolve(TYPES, READERS)


def estimator_of(values: Any) -> None:
    estimator = RangeEstimator.parse(values)
    assert RangeEstimator.parse(estimator.to_plain()) == estimator
    str(estimator)


PLAIN: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "plan": (plan_of, PLAN),
    "recipe": (Recipe.from_dict, RECIPE),
    "scheme": (QuantizerScheme.from_dict, SCHEME),
    "estimator": (estimator_of, ESTIMATOR),
    "scope": (scope_of, SCOPE),
    "runtime": (RuntimeConfig.from_dict, RUNTIME),
}


def positional(reads: Callable[..., Any], *names: str) -> Callable[[Any], Any]:
    """Keywords from a mapping of them, of these names alone."""

    def read(values: Any) -> Any:
        keywords = {key: value for key, value in values.items() if key in names} if isinstance(values, dict) else {}
        return reads(**keywords)

    return read


@pytest.mark.parametrize("kind", PLAIN)
@inputs(8, 250)
def test_plain_values(count: int, kind: str) -> None:
    read, valid = PLAIN[kind]
    each(count, changed(valid) | anything, lambda values: judged(read, values))


@inputs(8, 250)
def test_fields_of_a_recipe(count: int) -> None:
    """As keywords, where no reader stands in front."""
    each(count, changed(RECIPE), lambda values: judged(positional(Recipe, *RECIPE), values))


@inputs(8, 250)
def test_parameters_of_a_quantization(count: int) -> None:
    each(count, changed(PARAMETERS), lambda values: judged(positional(Settings.of, *PARAMETERS), values))


@inputs(8, 300)
def test_limits_and_budgets(count: int) -> None:
    """What is read is a number that a search can work with."""

    def judge(value: Any) -> None:
        drop = judged(absolute_drop, value, 0.9)
        assert drop is None or (0 <= drop < math.inf)
        for read in (latency_amount, size_amount):
            amount = judged(read, value)
            assert amount is None or (0 < amount.value < math.inf)
        judged(check_budget, timeout_s=value)
        judged(parse_rule, value)

    each(count, numbers | texts | anything, judge)


SEARCH = {
    "max_drop": 0.1,
    "max_latency": "5 ms",
    "max_size": "1 MB",
    "choose": "fastest",
    "space": "quick",
    "device": "CPU",
    "n_trials": 1,
    "timeout_s": 10,
    "trial_timeout_s": 10,
    "storage": None,
    "tracking_uri": "off",
    "seed": 0,
    "name": "x",
    "experiment": "x",
    "model_type": None,
    "target_device": "ANY",
    "runtime": RUNTIME,
    "reset_state": "sample",
    "isolate": False,
    "progress": False,
}


class StopError(AutoqError):
    """Everything that can be checked before the first inference was."""


@inputs(4, 300)
def test_arguments_of_a_search(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are checked before anything is run."""
    from autoq.api.searches import _prepare

    def stop(*_: Any) -> None:
        raise StopError("the search would start")

    monkeypatch.setattr(_prepare, "problem_of", stop)
    model, data = conv_net(), np.zeros((4, 3, 8, 8), np.float32)
    asked = {"calibration": data, "validation": (data, np.zeros(4, int)), "metric": "accuracy"}

    def judge(values: Any) -> None:
        keywords = {key: value for key, value in values.items() if key in SEARCH} if isinstance(values, dict) else {}
        judged(autoq.search, model, **asked, **keywords)

    each(count, changed(SEARCH), judge)


@inputs(2, 100)
def test_what_is_quantized_with_any_parameters(count: int) -> None:
    """The numbers that are let in are numbers that a model can be quantized with."""
    model, data = conv_net(), np.random.default_rng(0).normal(0, 1, (2, 3, 8, 8)).astype(np.float32)
    valid = {"preset": "mixed", "subset_size": 2, "activations": {"bits": 8}, "weights": {"bits": 8}}
    odd = st.fixed_dictionaries(
        {},
        optional={
            "subset_size": numbers,
            "smooth_quant_alpha": numbers,
            "activations": changed(SCHEME),
            "weights": changed(SCHEME),
            "range_estimator": changed(ESTIMATOR),
            "ignored_scope": changed(SCOPE),
            "overflow_fix": texts,
        },
    )

    def judge(values: dict[str, Any]) -> None:
        with warnings.catch_warnings():
            # That there are fewer samples than are asked for is said, and is no fault.
            warnings.simplefilter("ignore", UserWarning)
            judged(autoq.quantize, model, data, progress=False, **{**valid, **values})

    each(count, odd, judge)
