"""Each second of a search counts once: to the innermost part that goes on, or to none."""

import random
import threading
from dataclasses import dataclass

import pytest

from autoq.searching.loop import Budget, explore
from autoq.searching.problem import Clock
from autoq.searching.recorded import MEASURED, recorded_problem, synthetic_table
from autoq.searching.records import PARTS, Part
from autoq.searching.study import Study, quiet_optuna


@dataclass
class Hands:
    """A moment, which tests move."""

    moment: float = 100.0

    def __call__(self):
        return self.moment


def clock_of(hands):
    return Clock(started=hands.moment, now=hands)


def test_seconds_of_a_part_inside_another_one_count_for_the_inner_one_alone():
    hands = Hands()
    clock = clock_of(hands)
    hands.moment += 1
    with clock.spent(Part.CALIBRATE):
        hands.moment += 2
        with clock.spent(Part.OPEN):
            hands.moment += 4
        hands.moment += 8
        # Parts that go on count too.
        assert clock.spent_s == {Part.OPEN: 4, Part.CALIBRATE: 10, Part.OTHER: 1}
    hands.moment += 16
    assert clock.spent_s == {Part.OPEN: 4, Part.CALIBRATE: 10, Part.OTHER: 17}


@pytest.mark.parametrize("seed", range(20))
def test_the_parts_add_up_to_the_wall_time_however_they_are_nested(seed):
    rng, hands = random.Random(seed), Hands()
    clock, counted = clock_of(hands), dict.fromkeys(Part, 0.0)

    def some(part, depth):
        for _ in range(rng.randint(1, 4)):
            hands.moment += (step := rng.choice([0.5, 1.0, 3.0]))
            counted[part] += step
            if depth < 3:
                inner = rng.choice([p for p in Part if p is not Part.OTHER])
                with clock.spent(inner):
                    some(inner, depth + 1)
            assert sum(clock.spent_s.values()) == pytest.approx(hands.moment - clock.started)

    some(Part.OTHER, 0)
    assert clock.spent_s == pytest.approx({part: seconds for part, seconds in counted.items() if seconds})


@pytest.mark.parametrize(("told_s", "counted"), [((3.0, 1.0), (3.0, 1.0, 6.0)), ((30.0, 10.0), (7.5, 2.5, 0.0))])
def test_what_another_process_tells_of_a_part_is_taken_from_it_and_never_more_than_it_took(told_s, counted):
    hands, into = Hands(), {"propose": 2.0, "build": 0.5}
    clock = clock_of(hands)
    with clock.spent(Part.BUILD, into):
        hands.moment += 0.25
    with clock.spent(Part.SEND, into) as spell:
        hands.moment += 10
        spell.told = {"score": told_s[0], "time": told_s[1]}
    assert tuple(clock.spent_s[part] for part in (Part.SCORE, Part.TIME, Part.SEND)) == counted
    # The record of a trial has what was told.
    told = {"score": told_s[0], "time": told_s[1]}
    assert into == {"propose": 2.0, "build": 0.75, "send": counted[2], **told}


def test_a_part_that_an_error_ends_counts_and_those_that_it_left_open_are_closed():
    hands = Hands()
    clock = clock_of(hands)

    def stopped():
        with clock.spent(Part.CLOSE):
            hands.moment += 1
            with clock.spent(Part.BUILD):
                hands.moment += 2
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    hands.moment += 4
    assert clock.spent_s == {Part.BUILD: 2, Part.CLOSE: 1, Part.OTHER: 4}


def test_what_another_thread_does_meanwhile_takes_no_wall_time():
    hands, into = Hands(), {}
    clock = clock_of(hands)

    def build():
        with clock.spent(Part.BUILD, into):
            hands.moment += 2

    with clock.spent(Part.SCORE):
        thread = threading.Thread(target=build)
        thread.start()
        thread.join()
        hands.moment += 1
    assert clock.spent_s == {Part.SCORE: 3, Part.OTHER: 0}
    assert into == {"build": 2}


def test_each_trial_tells_its_parts_and_the_search_what_they_took_of_its_wall_time():
    problem, clock = recorded_problem(synthetic_table(3, units=5)), Clock.of(None, 0.0)
    before = clock.spent_s[Part.OTHER]
    with quiet_optuna():
        study = Study(None, "search", sampler="front", seed=0, identity={})
        explore(problem, study, Budget(n_trials=8, clock=clock), [], stage=lambda *_: None, attach=list, seed=0)
    records, spent = study.records(), clock.spent_s
    assert len(records) == 8
    assert all(set(record.seconds) == set(PARTS) for record in records)
    # A recorded table tells its own seconds.
    assert all(record.seconds["score"] <= 1.0 and record.seconds["compile"] == pytest.approx(0.2) for record in records)
    assert spent[Part.PROPOSE] > sum(record.seconds["propose"] for record in records) > 0
    assert spent[Part.RECORD] > 0
    assert set(MEASURED) <= set(spent)
    total = sum(seconds for part, seconds in spent.items() if part is not Part.OTHER)
    assert spent[Part.OTHER] - before < 0.5 * total


def test_a_trial_that_fails_tells_the_seconds_until_then():
    problem = recorded_problem(synthetic_table(3, units=5))

    def evaluate(*_):
        raise RuntimeError("the device is gone")

    problem.evaluator.evaluate = evaluate
    with quiet_optuna():
        study = Study(None, "search", sampler="random", seed=0, identity={})
        explore(problem, study, Budget(n_trials=1), [], stage=lambda *_: None, attach=list, seed=0)
    (record,) = study.records()
    assert record.error is not None
    assert set(record.seconds) == {"propose", "build", "send"}
