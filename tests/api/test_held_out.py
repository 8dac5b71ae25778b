"""What a search never sees, and how models are scored on it."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from networks import conv_net, images
from records import record

from autoq.api.searches._held_out import held_out_numbers, labelled, score_front, scoring_seconds
from autoq.core import DeviceError, Estimate
from autoq.evaluation.scoring import Accuracy, ValidationSet
from autoq.searching.problem import Clock
from autoq.searching.shown import ParetoFront

X = images(1000, seed=3)
Y = np.arange(1000)


def targets(pairs):
    return [int(target) for _, target in pairs]


def test_one_pair_of_each_five_in_a_row_is_held_out():
    for count in (1000, 1003, 4999):
        numbers = held_out_numbers(count)
        assert [number // 5 for number in numbers] == list(range(count // 5))
        assert held_out_numbers(count) == numbers
    # Data that repeat with a period of five are not all held out of one phase.
    assert np.bincount(np.array(held_out_numbers(5000)) % 5).min() > 150


def test_a_fifth_of_a_thousand_pairs_is_held_out():
    pairs, held_out = labelled(conv_net(), (X, Y), None, own_function=False)
    assert (len(pairs), len(held_out)) == (800, 200)
    assert sorted(targets(pairs) + targets(held_out)) == list(range(1000))
    for (feed, target), number in zip(held_out, targets(held_out), strict=True):
        assert target == number
        np.testing.assert_array_equal(feed["image"], X[number : number + 1])


@pytest.mark.parametrize(
    ("count", "holdout", "expected"),
    [(999, None, (999, 0)), (1000, False, (1000, 0)), (1000, (X[:7], Y[:7]), (1000, 7)), (20, (X[:7], Y[:7]), (20, 7))],
)
def test_when_nothing_is_split_off(count, holdout, expected):
    pairs, held_out = labelled(conv_net(), (X[:count], Y[:count]), holdout, own_function=False)
    assert (len(pairs), len(held_out or ())) == expected


def test_a_users_own_function_keeps_its_items():
    items = object()
    assert labelled(conv_net(), items, None, own_function=True) == (items, None)


def test_pairs_are_read_when_they_are_asked_for():
    class Lazy:
        read = 0

        def __len__(self):
            return 1000

        def __getitem__(self, index):
            Lazy.read += 1
            return X[index : index + 1], Y[index]

    pairs, held_out = ValidationSet.of(conv_net(), Lazy()).split(held_out_numbers(1000))
    assert Lazy.read <= 2
    assert held_out[3][1] == held_out_numbers(1000)[3]
    assert len(pairs) == 800


class Evaluator:
    def __init__(self, failing=()):
        self.asked, self.items, self.failing = [], [], failing

    def score_held_out(self, model, precision, items=None):
        self.asked.append(model)
        self.items.append(items)
        if model in self.failing:
            raise DeviceError("gone")
        return Accuracy(0.5, Estimate(0.1, 0.0, 0.2), 200, np.empty(0))


def scored(evaluator, *, left_s=math.inf, divisible=True):
    """Scores a front on 200 items, of which each model takes 2 s."""
    problem = SimpleNamespace(evaluator=evaluator, build=lambda record: record.number)
    points = enumerate([(0.0, 1.0), (0.01, 0.7), (0.02, 0.5)])
    front = ParetoFront([record(number, *point, seconds={"score": 1.0}) for number, point in points])
    clock = Clock(seconds=left_s + 3.0, now=lambda: 0.0)
    held_out = ValidationSet([(0, 0)] * 200) if divisible else [0] * 200
    found = score_front(problem, front, front[1], held_out, clock, 3.0, lambda *_: None)
    return set(found), clock.shortened


def test_the_whole_front_is_scored_once_the_chosen_model_first():
    evaluator = Evaluator()
    assert scored(evaluator) == ({0, 1, 2}, [])
    assert set(evaluator.items) == {None}
    assert evaluator.asked[0] == 1
    assert sorted(evaluator.asked) == [0, 1, 2]


def test_where_time_is_short_fewer_items_are_scored_or_none():
    evaluator = Evaluator()
    numbers, said = scored(evaluator, left_s=1.0)
    assert (numbers, set(evaluator.items)) == ({0, 1, 2}, {50})
    assert said == ["there was time to score models on 50 of 200 held-out samples."]
    none = set(), ["there was no time to score the chosen model on the held-out data."]
    assert scored(Evaluator(), left_s=0.1) == scored(Evaluator(), left_s=1.0, divisible=False) == none


def test_a_model_for_which_there_is_no_time_is_left_out():
    evaluator = Evaluator()
    now = iter([0.0, 5.0, 5.0])
    problem = SimpleNamespace(evaluator=evaluator, build=lambda record: 0)
    rows = [record(0, 0.0, 1.0, seconds={"score": 1.0}), record(1, 0.01, 0.7, seconds={"score": 1.0})]
    front, clock = ParetoFront(rows), Clock(seconds=5.0, now=lambda: next(now))
    assert set(score_front(problem, front, front[1], [0] * 100, clock, 0.0, lambda *_: None)) == {front[1].number}


def test_a_model_that_fails_costs_no_result():
    with pytest.warns(UserWarning, match="trial 2 could not be scored on held-out data: .*gone"):
        assert scored(Evaluator(failing={2}))[0] == {1}


def test_scoring_takes_as_long_as_the_trials_did():
    records = [record(number, seconds={"score": 2.0}) for number in range(3)]  # on 100 samples
    assert scoring_seconds(records, 200, 3) == pytest.approx(12.0)
    assert scoring_seconds([], 200, 3) == 0
