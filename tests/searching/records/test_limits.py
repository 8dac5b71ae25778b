"""What keeps the limits of a search, and what it crosses."""

from dataclasses import replace

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import evaluation, record

from autoq.searching.front import closest
from autoq.searching.loop import Budget, close, run, steer
from autoq.searching.loop._measuring import evaluated
from autoq.searching.problem import learn
from autoq.searching.recorded import recorded_problem, synthetic_table
from autoq.searching.records import Limits
from autoq.searching.study import Storage, Study, quiet_optuna

OPTIONAL = st.none() | st.floats(0.01, 2)


def sized(drop, ratio, size_bytes):
    return replace(evaluation(drop, ratio), size_bytes=size_bytes)


@given(
    st.floats(-0.1, 1), st.floats(0.1, 2), st.integers(1, 3000), OPTIONAL, OPTIONAL, st.none() | st.integers(1, 3000)
)
def test_a_model_keeps_its_limits_where_each_of_its_values_does(drop, ratio, size, max_drop, max_ms, max_bytes):
    limits = Limits(max_drop=max_drop, max_latency_ms=max_ms, max_size_bytes=max_bytes, float_ms=2.0)
    model = sized(drop, ratio, size)
    values = {"drop": (drop, max_drop), "latency": (ratio * 2.0, max_ms), "size": (size, max_bytes)}
    kept = {name: value <= limit for name, (value, limit) in values.items() if limit is not None}
    assert {name: crossed <= 0 for name, crossed in limits.constraints(model).items()} == kept
    assert limits.keep(model) is all(kept.values())
    assert limits.shortfall(model)[0] == list(kept.values()).count(False)
    assert evaluated(record(0), model, limits).feasible is all(kept.values())


def test_latency_is_judged_by_the_ratio_and_what_the_float_model_took_at_the_start():
    slow_machine = replace(evaluation(0.0, 0.5).latency, p50_ms=9.0, baseline_p50_ms=18.0)
    model = replace(evaluation(0.0, 0.5), latency=slow_machine)
    assert Limits(max_latency_ms=1.0, float_ms=2.0).keep(model)
    assert not Limits(max_latency_ms=0.99, float_ms=2.0).keep(model)
    assert Limits(max_latency_ms=1.5, float_ms=2.0).max_ratio == 0.75
    assert Limits(float_ms=2.0).max_ratio is None


def test_a_limit_of_latency_needs_the_float_model():
    with pytest.raises(ValueError, match=r"self\.max_latency_ms=5 alone"):
        Limits(max_latency_ms=5)


def test_what_is_said_of_limits():
    limits = Limits(max_drop=0.01, max_latency_ms=5, max_size_bytes=2_000_000, float_ms=10.0)
    assert limits.text == "max_drop = 0.01, max_latency = 5 ms and max_size = 2 MB"
    assert limits.summary == "drop of at most 0.01, at most 5 ms, at most 2 MB"
    assert Limits().text == Limits().summary == ""
    model = sized(0.02, 0.7, 3_000_000)
    assert limits.crossed(model) == "a drop of 0.0200 [0.0190, 0.0210], a latency of 7 ms and a size of 3 MB"
    assert limits.advice(sized(0.0, 0.7, 3_000_000)) == "a higher latency and a larger model"


def test_a_limit_that_was_computed_is_said_as_a_user_would_write_it():
    assert Limits(max_drop=0.1 + 0.2).drop_text == "max_drop = 0.3"
    assert Limits().drop_text == "max_drop = None"


def test_the_closest_crosses_the_fewest_limits_and_those_by_least():
    limits = Limits(max_drop=0.01, max_latency_ms=1.0, float_ms=2.0)
    records = [
        record(0, 0.0, 1.0, fingerprint="float"),
        record(1, 0.02, 0.6),
        record(2, 0.03, 0.4),
        record(3, 0.0, 0.7),
    ]
    assert closest(records[:3], limits).number == 2  # one limit, by 200%
    assert closest(records, limits).number == 3  # one limit, by 40%
    assert closest([*records, record(4, 0.009, 0.5)], limits).number == 4
    assert closest(records[:1], limits) is None


def test_optuna_is_told_each_limit(tmp_path):
    limits = Limits(max_drop=0.01, max_latency_ms=1.0, max_size_bytes=1000, float_ms=2.0)
    with quiet_optuna():
        storage = Storage(optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'study.db'}"))
        study = Study(storage, "s", sampler="random", seed=0, identity={})
        for drop, ratio, size in ((0.0, 0.5, 1000), (0.02, 0.5, 1000), (0.0, 0.6, 1000), (0.0, 0.5, 1001)):
            study.finish(study.ask(), record(0, evaluation=sized(drop, ratio, size)), limits)
        stored = optuna.load_study(study_name="s", storage=f"sqlite:///{tmp_path / 'study.db'}")
    feasible = [all(value <= 0 for value in trial.constraints.values()) for trial in stored.trials]
    assert feasible == [True, False, False, False]
    assert {frozenset(trial.constraints) for trial in stored.trials} == {frozenset({"drop", "latency", "size"})}


def test_a_search_keeps_to_every_limit():
    table = synthetic_table(3, units=5)
    problem = recorded_problem(table)
    float_ms = problem.evaluator.float_latency.baseline_p50_ms
    ratio = float(sorted(table.ratios)[len(table.ratios) // 2])
    limits = Limits(max_drop=0.03, max_latency_ms=ratio * float_ms, float_ms=float_ms)
    with quiet_optuna():
        study = Study(None, "search", sampler="front", seed=0, identity={})
        budget = Budget(n_trials=15, limits=limits)
        steer(problem, study, budget, learn(problem, study, lambda *_: None), 0)
        run(problem, study, budget, [], [])
        records = close(problem, study, budget, study.records(), 10.0, lambda *_: None)
    assert sum(made.feasible for made in records) >= 2
    for made in records:
        drop, measured = made.evaluation.accuracy.drop.value, made.evaluation.latency.ratio.value
        assert made.feasible is (drop <= 0.03 and measured * float_ms <= ratio * float_ms)
    assert not records[0].feasible  # the float model is too slow
