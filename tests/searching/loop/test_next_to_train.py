"""Which models a search trains."""

import pytest
from records import record

from autoq.searching.loop import next_to_train, worth_training
from autoq.searching.records import Limits, TrialState, Tuned

WITHIN_ONE_POINT = Limits(max_drop=0.01)
# Number, drop and latency ratio: the cheaper, the less accurate.
STEPS = [
    record(1, 0.30, 0.2),
    record(2, 0.019, 0.3),
    record(3, 0.012, 0.4),
    record(4, 0.004, 0.5),
    record(5, 0.001, 0.9),
]


def numbers(records, limits, most, left=0.5):
    """What is trained one after the other, if a training leaves this share of a drop."""
    trained, known = [], list(records)
    for place in range(worth_training(records, limits, most)):
        found = next_to_train(known, limits, most, trained)
        assert found.number not in trained
        trained.append(found.number)
        drop = found.evaluation.accuracy.drop.value
        if left < 1:
            tuned = Tuned(of=found.number, model="digest", before=1.0, after=left)
            known.append(record(100 + place, left * drop, 0.5, tuned=tuned))
    return trained


def test_the_cheapest_of_at_most_twice_the_limit():
    assert numbers(STEPS, WITHIN_ONE_POINT, 2) == [2, 3]
    assert numbers(STEPS, WITHIN_ONE_POINT, 9) == [2, 3, 4, 5]


def test_the_most_accurate_where_none_is_near_the_limit():
    assert numbers(STEPS[:1], WITHIN_ONE_POINT, 2) == [1]
    assert numbers([record(1, 0.5, 0.2), record(2, 0.4, 0.3), record(3, 0.3, 0.4)], WITHIN_ONE_POINT, 2) == [3, 2]


def test_a_limit_of_zero_is_one_too():
    assert numbers(STEPS, Limits(max_drop=0.0), 3) == [5, 4, 3]


def test_what_a_training_left_decides_what_comes_next():
    steps = [record(1, 0.030, 0.2), record(2, 0.025, 0.25), *STEPS[1:]]
    steps = [*steps[:2], record(3, 0.019, 0.3), record(4, 0.015, 0.35), record(5, 0.012, 0.4), record(6, 0.004, 0.5)]
    # 0.3 of a drop is left: (0.005 + 0.0057) / (0.01 + 0.019) after the first training brings 0.025 within reach.
    assert numbers(steps, WITHIN_ONE_POINT, 2, left=0.3) == [3, 2]
    assert numbers(steps, WITHIN_ONE_POINT, 3, left=0.2) == [3, 1, 2]
    # Nothing is won: (0.005 + 0.019) / 0.029 leaves 0.012 within reach, and so does what follows.
    assert numbers(steps, WITHIN_ONE_POINT, 2, left=1) == [3, 5]
    assert numbers(steps, WITHIN_ONE_POINT, 2, left=1.5) == [3, 5]


def test_without_a_limit_they_are_spread_over_the_front():
    assert numbers(STEPS, Limits(), 3) == [1, 3, 5]
    assert numbers(STEPS, Limits(), 9) == [1, 2, 3, 4, 5]


def test_what_another_one_beats_is_not_trained():
    assert numbers([*STEPS, record(6, 0.013, 0.45)], WITHIN_ONE_POINT, 9) == [2, 3, 4, 5]


def test_of_models_that_cost_the_same_the_most_accurate_is_trained():
    assert numbers([*STEPS, record(6, 0.013, 0.305)], WITHIN_ONE_POINT, 2) == [6, 3]


@pytest.mark.parametrize(
    "changes",
    [
        {"fingerprint": "float"},
        {"quantized_sites": 0},
        {"state": TrialState.FAILED, "evaluation": None},
        {"tuned": Tuned(of=4, model="digest", before=0.2, after=0.1)},
    ],
)
def test_what_cannot_learn_is_left_out(changes):
    assert numbers([*STEPS, record(6, 0.005, 0.1, **changes)], WITHIN_ONE_POINT, 1) == [2]


def test_without_a_drop_there_is_nothing_to_win_back():
    assert numbers([record(1, 0.0, 0.2), record(2, -0.01, 0.3)], WITHIN_ONE_POINT, 3) == []


def test_other_limits_hold_before_a_training():
    limits = Limits(max_drop=0.01, max_latency_ms=0.35, float_ms=1.0)
    assert numbers(STEPS, limits, 9) == [2]
