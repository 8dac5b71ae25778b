"""What a user wants, in absolute numbers, in every session of a search alike."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from autoq.api.searches._wanted import Wanted
from autoq.core import ConfigError
from autoq.evaluation.candidate import size_bytes
from autoq.searching.recorded import recorded_problem, synthetic_table
from autoq.searching.records import Limits
from autoq.searching.study import Study, quiet_optuna


@pytest.fixture
def study():
    with quiet_optuna():
        return Study(None, "wanted", sampler="random", seed=0, identity={})


def of(max_drop=None, max_latency=None, max_size=None, choose=None):
    return Wanted.of(max_drop, max_latency, max_size, choose)


def slower(problem, times):
    latency = problem.evaluator.float_latency
    evaluator = SimpleNamespace(
        float_latency=replace(latency, baseline_p50_ms=times * latency.baseline_p50_ms),
        float_accuracy=problem.evaluator.float_accuracy,
    )
    return replace(problem, evaluator=evaluator)


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({}, "fastest"),
        ({"max_drop": 0.01}, "fastest"),
        ({"max_latency": 5}, "accurate"),
        ({"max_latency": 5, "max_drop": 0.01}, "fastest"),
        ({"max_size": "1 MB"}, "fastest"),
        ({"max_latency": 5, "choose": "knee"}, "knee"),
        ({"choose": ["size", "accuracy"]}, ("size", "accuracy")),
    ],
)
def test_who_limits_the_latency_alone_wants_accuracy(given, rule):
    assert of(**given).rule == rule


def test_limits_are_relative_to_the_float_model(study):
    problem = recorded_problem(synthetic_table(3, units=3))
    float_ms = problem.evaluator.float_latency.baseline_p50_ms
    limits = of("1%", "50%", "25%").limits(problem, study)
    assert limits.max_drop == pytest.approx(0.01 * problem.evaluator.float_accuracy.mean)
    assert limits.max_latency_ms == pytest.approx(0.5 * float_ms)
    assert limits.max_size_bytes == int(0.25 * size_bytes(problem.model))
    assert of().limits(problem, study) == Limits(float_ms=float_ms)


@pytest.mark.parametrize("max_latency", [5, "50%"])
def test_a_later_session_judges_by_the_float_model_of_the_first(study, max_latency):
    problem = recorded_problem(synthetic_table(3, units=3))
    first = of(max_latency=max_latency).limits(problem, study)
    assert of(max_latency=max_latency).limits(slower(problem, 1.7), study) == first


def test_what_must_not_change_does_not_depend_on_the_machine():
    assert of("1%", "50 %", "2 MB").identity(0.5) == {"max_drop": 0.005, "max_latency": "50%", "max_size": "2000000"}
    assert of().identity(0.5) == dict.fromkeys(("max_drop", "max_latency", "max_size"))


def test_what_cannot_be_read_is_said_at_once():
    for given in ({"max_drop": "a lot"}, {"max_latency": "soon"}, {"max_size": "tiny"}, {"choose": "it"}):
        (name,) = given
        with pytest.raises(ConfigError, match=f"{name} is "):
            of(**given)
