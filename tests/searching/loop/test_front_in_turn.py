"""Pruned models that are expected on the front once they are repaired in turn become trials of their own."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from records import record
from width_searches import LEFT, Measured, searched

from autoq.core import Estimate, Plan, PruningPlan, Repair
from autoq.searching.loop import Budget
from autoq.searching.loop._front_in_turn import budget_before, in_turn, share_left, worth_repairing
from autoq.searching.records import Limits, TrialState
from autoq.transform import read_plan


def repaired(records):
    return [r for r in records if r.origin == "in_turn"]


def test_each_is_a_trial_beside_the_one_that_it_is_made_of(monkeypatch):
    records, _ = searched(monkeypatch, harm=0.1, n_trials=30)
    found = repaired(records)
    assert 1 <= len(found) <= 4
    for one in found:
        assert one.plan.pruning.repair is Repair.SEQUENTIAL
        (before,) = (r for r in records if in_turn(r.plan) == one.plan and r is not one)
        assert before.plan.pruning.repair is Repair.ONE_SHOT
        assert one.evaluation.accuracy.drop.value == pytest.approx(LEFT * before.evaluation.accuracy.drop.value)
        # It is on the front: within the limit, and no cheaper trial before it was.
        assert one.feasible
        others = [r for r in records if r.feasible and r.number < one.number and r.origin != "in_turn"]
        cheaper = [r for r in others if r.evaluation.cost.value <= one.evaluation.cost.value]
        assert all(r.evaluation.accuracy.drop.value > one.evaluation.accuracy.drop.value for r in cheaper)
    assert len({r.number for r in records}) == len(records) == 30


def test_a_model_is_timed_once_more_before_it_is_taken_for_the_cheapest(monkeypatch):
    asked = []

    def slower(self, finalist, contest, *, retimed):
        """The first one that is timed again was fast by luck."""
        asked.append(read_plan(finalist.model))
        ratio = 1.3 if len(asked) == 1 else finalist.evaluation.latency.ratio.value
        latency = replace(finalist.evaluation.latency, ratio=Estimate(ratio, ratio, ratio))
        return replace(finalist.evaluation, latency=latency), {}

    monkeypatch.setattr(Measured, "go_on", slower)
    records, probed = searched(monkeypatch, harm=0.1, n_trials=40)
    found = [r.plan for r in repaired(records[probed:])]
    assert len(found) >= 2
    assert in_turn(asked[0]) not in found
    assert found == [in_turn(plan) for plan in asked[1:]]
    (lucky,) = (r for r in records if r.plan == asked[0])
    assert lucky.evaluation.latency.ratio.value == 1.3


def test_one_of_the_first_models_tells_what_is_left_of_a_drop(monkeypatch):
    records, probed = searched(monkeypatch, harm=0.1, n_trials=30)
    first = next(r for r in records if r.origin == "cut")
    (told,) = repaired(records[:probed])
    assert told.plan == in_turn(first.plan)
    # 0.00625 and 0.0025 beside half of the limit, 0.01.
    assert share_left(records[:probed], Limits(max_drop=0.01)) == pytest.approx((0.005 + 0.0025) / (0.01 + 0.00625))
    assert share_left(records[:2], Limits(max_drop=0.01)) == 0.5
    for limits in (Limits(), Limits(max_drop=0.0)):
        assert share_left(records[:probed], limits) == pytest.approx((0.5 + 0.4) / 2)
    # A twentieth of a short search is less than a trial.
    records, probed = searched(monkeypatch, harm=0.1, n_trials=19)
    assert not repaired(records[:probed])


@pytest.mark.parametrize(
    ("reach", "after", "expected"), [(1.0, 0.1, 4.0), (1.0, 0.4, 1.0), (2.0, 0.2, 4.0), (2.0, 0, 6)]
)
def test_what_is_left_of_a_drop_tells_how_much_worse_models_are_worth_measuring(reach, after, expected):
    problem = SimpleNamespace(space=SimpleNamespace(pruning=lambda: SimpleNamespace(repair=Repair.ONE_SHOT)))
    cut = trial(1, 0.4, 0.5, 0.5)
    records = [cut, replace(trial(2, after, 0.5), plan=in_turn(cut.plan), origin="in_turn")]
    budget = Budget(n_trials=100, limits=Limits(max_drop=1e-6), reach=reach)
    assert budget_before(problem, budget, records).reach == pytest.approx(expected, rel=1e-3)


def test_the_time_of_the_search_is_kept(monkeypatch):
    records, _ = searched(monkeypatch, harm=0.1, n_trials=None, timeout_s=300.0)
    assert sum(sum(r.seconds.values()) for r in records) <= 300.0
    assert repaired(records)
    records, _ = searched(monkeypatch, harm=0.1, n_trials=6)
    assert not repaired(records)


def test_a_search_whose_models_are_repaired_in_turn_anyway_repeats_none(monkeypatch):
    records, _ = searched(monkeypatch, harm=0.1, n_trials=30, repair=Repair.SEQUENTIAL)
    assert not repaired(records)
    assert {r.plan.pruning.repair for r in records if r.plan.prunes} == {Repair.SEQUENTIAL}


def trial(number, drop, cost, kept=1.0, **changed):
    part = PruningPlan({"a": kept}, **changed)
    return replace(record(number, drop, cost), plan=Plan.of(part), state=TrialState.COMPLETE)


def test_the_cheapest_that_come_within_the_limit_are_first():
    whole = trial(0, 0.001, 0.7)
    cut = [
        trial(n, drop, cost, 1 - cost / 2) for n, (drop, cost) in enumerate([(0.3, 0.3), (0.03, 0.5), (0.012, 0.6)], 1)
    ]
    beaten = trial(4, 0.004, 0.8, 0.9)
    records = [whole, *cut, beaten]
    # Half of 0.03 is beyond 0.01, that of 0.012 is not, and the whole model beats what costs more.
    assert [r.number for r in worth_repairing(records, Limits(max_drop=0.01))] == [3]
    assert [r.number for r in worth_repairing(records, Limits(max_drop=0.02))] == [2, 3]
    assert sorted(r.number for r in worth_repairing(records, Limits())) == [1, 2, 3]
    # Training is expected to win back half of what is left.
    assert [r.number for r in worth_repairing(records, Limits(max_drop=0.01), reach=2.0)] == [2, 3]
    # What one of them kept of its drop tells what others will.
    done = replace(trial(5, 0.0288, 0.5), plan=in_turn(cut[1].plan), origin="in_turn")
    assert [r.number for r in worth_repairing([*records, done], Limits(max_drop=0.02))] == [3]
    assert [r.number for r in worth_repairing([*records, done], Limits(max_drop=0.01))] == []
