"""The time of a search, told by a clock that goes on only with what is measured."""

from dataclasses import dataclass, replace

import pytest

from autoq.searching.loop import Budget, explore
from autoq.searching.problem import Clock
from autoq.searching.recorded import recorded_problem, synthetic_table
from autoq.searching.study import Study, quiet_optuna

TABLE = synthetic_table(3, units=5)


@dataclass
class Hands:
    """A moment, which others move."""

    moment: float = 0.0

    def __call__(self):
        return self.moment


class Timed:
    """An evaluator each of whose candidates takes some time of a clock."""

    def __init__(self, evaluator, hands, seconds, *, float_seconds):
        self._real, self._hands, self._seconds = evaluator, hands, seconds
        self.float_seconds = float_seconds

    def __getattr__(self, name):
        return getattr(self._real, name)

    def evaluate(self, *what):
        self._hands.moment += self._seconds
        return self._real.evaluate(*what)


def explored(seconds, *, prepared_s=0.0, trial_s=2.0, float_s=2.0, ending_s=0.0, n_trials=None):
    """Origins of the trials, the moment when they end, and what there was no time for."""
    hands, problem = Hands(), recorded_problem(TABLE)
    clock = Clock(seconds, 0.0, hands)
    hands.moment = prepared_s
    problem = replace(problem, evaluator=Timed(problem.evaluator, hands, trial_s, float_seconds=float_s))
    with quiet_optuna():
        study = Study(None, "search", sampler="front", seed=0, identity={})
        budget = Budget(n_trials=n_trials, clock=clock, ending_s=ending_s)
        explore(problem, study, budget, [], stage=lambda *_: None, attach=list, seed=0)
    return [record.origin for record in study.records()], hands.moment


def test_trials_end_before_what_is_kept_for_the_end():
    origins, moment = explored(20.0, ending_s=5.0)
    assert moment <= 15.0
    assert len(origins) == 7


def test_int8_is_the_first():
    assert explored(20.0)[0][:2] == ["int8", "float"]
    assert explored(float("inf"), n_trials=3)[0][:2] == ["int8", "float"]


@pytest.mark.parametrize(("prepared_s", "expected"), [(19.0, ["int8"]), (25.0, ["int8"])])
def test_where_preparation_took_it_all_int8_is_measured_still(prepared_s, expected):
    assert explored(20.0, prepared_s=prepared_s, ending_s=5.0) == (expected, prepared_s + 2.0)


def test_where_the_float_model_alone_takes_more_nothing_is():
    assert explored(20.0, prepared_s=50.0, float_s=40.0) == ([], 50.0)


def test_trials_that_take_longer_than_the_float_model_are_foreseen_from_the_second_on():
    origins, moment = explored(20.0, trial_s=6.0, float_s=1.0)
    assert (origins[0], moment) == ("int8", 18.0)


def test_what_is_left():
    hands = Hands(100.0)
    clock = Clock(60.0, 90.0, hands)
    assert (clock.left_s, clock.ends, clock.is_limited) == (50.0, 150.0, True)
    hands.moment = 160.0
    assert clock.left_s == -10.0
    assert Clock.of(None, 90.0).left_s == float("inf")
    assert Clock.of(None, 90.0).part(0.1, 5.0) == 0.0
    assert (clock.part(0.05, 5.0), clock.part(0.1, 5.0)) == (3.0, 5.0)


def test_parts_of_preparation_share_what_is_left_of_a_third_and_always_get_something():
    hands = Hands(0.0)
    clock = Clock(60.0, 0.0, hands)
    assert clock.preparation_s(0.5) == pytest.approx(10.0)
    hands.moment = 4.0
    assert clock.preparation_s(0.5) == pytest.approx(8.0)
    hands.moment = 30.0
    assert clock.preparation_s(0.5) == pytest.approx(6.0)


def test_what_there_was_no_time_for_is_said_once():
    clock = Clock(60.0)
    for _ in range(2):
        clock.shorten("there was no time.")
    assert clock.shortened == ["there was no time."]
