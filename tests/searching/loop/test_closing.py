"""The closing session: who is measured once more, and what becomes of it."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from records import evaluation, record

from autoq.core import Against, DeviceError
from autoq.evaluation.scoring import Outcome
from autoq.searching.loop import Budget, close
from autoq.searching.problem import Clock
from autoq.searching.records import Limits, evaluation_of
from autoq.searching.shown import ParetoFront
from autoq.searching.study import Study

BUDGET = Budget(n_trials=None, limits=Limits(max_drop=0.02))


class Evaluator:
    """Says what a finalist really does."""

    def __init__(self, truth):
        self.truth = truth
        self.asked = []
        self.float_accuracy, self.float_latency = SimpleNamespace(n=100), evaluation().latency

    def remeasure(self, finalists, max_seconds):
        self.asked.append([finalist.model for finalist in finalists])
        return [evaluation(*self.truth.get(f.model, (0.01, 0.5))) for f in finalists]


def measured(number, drop, ratio, **changes):
    return record(number, drop, ratio, seconds={"build": 0.1, "compile": 0.1, "score": 1.0}, **changes)


def closed(records, truth, *, seconds=1000.0, budget=BUDGET, rule="fastest"):
    evaluator = Evaluator(truth)
    problem = SimpleNamespace(evaluator=evaluator, build=lambda record: record.number, against=Against.LATENCY)
    study = Study(None, "closing", sampler="random", seed=0, identity={})
    told = []
    result = close(problem, study, budget, records, seconds, lambda *stage: told.append(stage), rule=rule)
    return {r.number: r for r in result}, evaluator.asked


def test_what_another_one_beats_in_both_estimates_comes_last():
    records = [measured(0, 0.0, 1.0), measured(1, 0.010, 0.5), measured(2, 0.011, 0.5005), measured(3, 0.015, 0.8)]
    assert ParetoFront(records).tied == {1, 2}
    found, asked = closed(records, {1: (0.012, 0.52), 2: (0.011, 0.51), 0: (0.0, 1.0)})
    assert asked == [[1, 0, 2]]
    assert not found[3].remeasured
    assert [r.number for r in ParetoFront(found.values())] == [2, 0]
    # Where there is no time for it, it is left out.
    found, asked = closed(records, {1: (0.0101, 0.5001), 0: (0.0, 1.0)}, seconds=0.5)
    assert asked == [[1, 0]]
    assert not found[2].remeasured
    assert [r.number for r in ParetoFront(found.values())] == [1, 0]


@pytest.mark.parametrize(("rule", "first"), [("fastest", 3), ("accurate", 1)])
def test_the_model_that_would_be_chosen_is_the_first(rule, first):
    records = [measured(number, 0.004 + 0.004 * number, 1 - 0.1 * number) for number in range(1, 4)]
    # With equal scores, nothing would show that one is more accurate.
    without = [replace(r.evaluation.accuracy, scores=np.empty(0)) for r in records]
    records = [
        replace(r, evaluation=replace(r.evaluation, accuracy=accuracy))
        for r, accuracy in zip(records, without, strict=True)
    ]
    assert closed(records, {}, rule=rule)[1][0][0] == first


def test_where_a_finalist_fails_the_next_ones_are_measured():
    lucky = measured(1, 0.001, 0.4)
    found, asked = closed([measured(0, 0.0, 1.0), lucky, measured(2, 0.010, 0.5)], {0: (0.0, 1.0), 1: (0.03, 0.4)})
    assert [sorted(numbers) for numbers in asked] == [[0, 1], [2]]
    assert not found[1].feasible
    assert [r.number for r in ParetoFront(found.values())] == [2, 0]


def test_little_time_is_spent_on_the_fastest():
    records = [measured(number, 0.02 - 0.001 * number, 0.4 + 0.05 * number) for number in range(8)]
    _, asked = closed(records, {}, seconds=0.0)
    assert asked == [[0, 1]]


def test_where_the_clock_is_limited_too_little_time_is_spent_on_none():
    records = [measured(number, 0.02 - 0.001 * number, 0.4 + 0.05 * number) for number in range(8)]
    limited = replace(BUDGET, clock=Clock(seconds=60.0))
    found, asked = closed(records, {}, seconds=1.0, budget=limited)
    assert asked == []
    assert not any(r.remeasured for r in found.values())
    assert limited.clock.shortened == ["there was no time to measure the best models together once more."]
    _, asked = closed(records, {}, seconds=4.0, budget=limited)
    assert 2 <= len(asked[0]) < 8


@pytest.mark.parametrize("seconds", [math.inf, 60.0])
def test_there_is_no_session_of_the_float_model_alone(seconds):
    baseline = measured(0, 0.0, 1.0, fingerprint="float")
    budget = replace(BUDGET, clock=Clock(seconds=seconds))
    found, asked = closed([baseline], {}, budget=budget)
    assert (asked, found[0].remeasured) == ([], False)
    # With another that turns out to be worse, it is on the front as it was measured.
    found, asked = closed([baseline, measured(1, 0.001, 0.4)], {1: (0.03, 0.4), 0: (0.0, 1.0)}, budget=budget)
    assert len(asked) == 1
    assert [r.number for r in ParetoFront(found.values())] == [0]


def test_samples_that_were_left_out_count_as_time():
    partly = measured(1, 0.0, 0.9)
    accuracy = replace(partly.evaluation.accuracy, n=1, outcome=Outcome.FEASIBLE)
    partly = replace(partly, evaluation=replace(partly.evaluation, accuracy=accuracy))
    records = [measured(0, 0.015, 0.5), measured(2, 0.01, 0.6), partly]
    assert closed(records, {}, seconds=3.0)[1][0] == [0, 2]
    assert sorted(closed(records, {}, seconds=200.0)[1][0]) == [0, 1, 2]


def test_a_device_that_fails_leaves_what_was_known():
    evaluator = Evaluator({})

    def fail(*_):
        raise DeviceError("gone")

    evaluator.remeasure = fail
    problem = SimpleNamespace(evaluator=evaluator, build=lambda record: None, against=Against.LATENCY)
    records = [measured(0, 0.0, 1.0), measured(1, 0.01, 0.5)]
    study = Study(None, "closing", sampler="random", seed=0, identity={})
    with pytest.warns(UserWarning, match="could not be measured once more: gone"):
        assert close(problem, study, BUDGET, records, 10.0, lambda *_: None) == records


def test_a_study_keeps_what_was_found():
    study = Study(None, "closing", sampler="random", seed=0, identity={})
    first = record(0, 0.01, 0.5)
    study.finish(study.ask(), first, BUDGET.limits)
    study.close([replace(record(0, 0.012, 0.52), remeasured=True)], ended=True)
    (kept,) = study.records()
    assert kept.remeasured
    assert kept.evaluation.latency.ratio.value == 0.52


def test_against_size_what_is_scored_already_comes_before_what_takes_time():
    records = [
        replace(r, evaluation=replace(evaluation_of(r), size_ratio=ratio))
        for r, ratio in ((measured(1, 0.015, 0.5), 0.2), (measured(2, 0.008, 0.5), 0.3), (measured(3, 0.001, 0.5), 0.5))
    ]
    partial = evaluation_of(records[0])
    accuracy = replace(partial.accuracy, n=10, outcome=Outcome.PARTIAL, scores=np.zeros(10))
    records[0] = replace(records[0], evaluation=replace(partial, accuracy=accuracy))
    evaluator = Evaluator({2: (0.008, 0.5), 3: (0.001, 0.5)})
    problem = SimpleNamespace(evaluator=evaluator, build=lambda record: record.number, against=Against.SIZE)
    study = Study(None, "closing", sampler="random", seed=0, identity={})
    budget = Budget(n_trials=None, clock=Clock(100.0, now=lambda: 0.0))
    found = close(problem, study, budget, records, 1.0, lambda *_: None)
    # The first one lacks 90 samples, which take nine seconds.
    assert sorted(evaluator.asked[0]) == [2, 3]
    assert [r.number for r in found if r.remeasured] == [2, 3]


def test_against_size_the_widest_gap_of_the_front_is_filled_first():
    records = []
    for number, drop, ratio, is_scored in [
        (1, 0.018, 0.20, True),
        (2, 0.016, 0.21, False),
        (3, 0.012, 0.30, False),
        (4, 0.011, 0.32, False),
        (5, 0.001, 0.50, True),
    ]:
        found = measured(number, drop, 0.5)
        known = replace(found.evaluation, size_ratio=ratio, size_bytes=int(1e6 * ratio))
        if not is_scored:
            accuracy = replace(known.accuracy, n=10, outcome=Outcome.PARTIAL, scores=np.zeros(100))
            known = replace(known, accuracy=accuracy)
        records.append(replace(found, evaluation=known))
    truth = {r.number: (r.evaluation.accuracy.drop.value, 0.5) for r in records}
    orders = []
    for seconds in (12.0, 24.0, 40.0):  # each that lacks samples takes 9 s
        evaluator = Evaluator(truth)
        problem = SimpleNamespace(evaluator=evaluator, build=lambda record: record.number, against=Against.SIZE)
        study = Study(None, "closing", sampler="random", seed=0, identity={})
        budget = Budget(n_trials=None, clock=Clock(100.0, now=lambda: 0.0))
        close(problem, study, budget, records, seconds, lambda *_: None)
        orders.append(evaluator.asked[0])
    # Both ends are scored. 0.32 lies nearest to the middle of their logarithms, and 0.21 is beside an end.
    assert orders == [[5, 1, 4], [5, 1, 4, 3], [5, 1, 4, 3, 2]]
