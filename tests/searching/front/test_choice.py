"""Which member of a front is chosen, beside enumeration."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from records import evaluation, record, search_info

from autoq.core import BudgetError, ConfigError
from autoq.searching.front import PassedOver, Place, TrialRow, TrialTable, choose, parse_rule, passed_over
from autoq.searching.front._rows import chosen_of
from autoq.searching.records import TrialState
from autoq.searching.shown import ParetoFront
from autoq.transform import FLOAT_FINGERPRINT

POINTS = st.lists(st.tuples(st.floats(-0.1, 1), st.floats(0.1, 2), st.integers(1000, 9000)), min_size=1, max_size=8)


def sized(number, drop, ratio, size_bytes=1000, *, width=0.001, scores=None):
    made = evaluation(drop, ratio, width=width)
    accuracy = replace(made.accuracy, scores=np.empty(0) if scores is None else np.asarray(scores, float))
    return record(number, evaluation=replace(made, accuracy=accuracy, size_bytes=size_bytes))


@given(POINTS, st.floats(0, 0.2))
def test_accurate_is_the_fastest_of_those_whose_drop_is_not_shown_to_be_larger(points, width):
    front = ParetoFront([sized(i, *point, width=width) for i, point in enumerate(points)])
    members = [points[made.number] for made in front]
    least = min(drop for drop, _, _ in members)
    expected = min(ratio for drop, ratio, _ in members if not least + width < drop - width)
    assert points[choose(front, "accurate").number][1] == expected


@given(POINTS)
@example([(0.0, 1.0, 1001), (0.0, 1.0, 1000)])  # Equal but for the size.
def test_fastest_and_knee_are_those_of_the_front(points):
    front = ParetoFront([sized(i, *point) for i, point in enumerate(points)])
    assert choose(front) == choose(front, "fastest") == choose(front, ("latency", "accuracy")) == front.fastest()
    assert choose(front, "knee") == front.knee()


@given(POINTS)
@example([(0.0, 0.9, 1000), (0.1, 0.5, 1010), (0.2, 0.4, 1011)])
def test_smallest_is_the_fastest_of_those_that_are_as_small_but_for_a_hundredth(points):
    front = ParetoFront([sized(i, *point) for i, point in enumerate(points)])
    members = [points[made.number] for made in front]
    least = min(size for _, _, size in members)
    expected = min(ratio for _, ratio, size in members if size <= 1.01 * least)
    assert points[choose(front, "smallest").number][1] == expected


def test_criteria_in_order():
    width = 0.005
    front = ParetoFront(
        [
            sized(0, 0.000, 1.000, 9000, width=width),
            sized(1, 0.002, 0.500, 4000, width=width),
            sized(2, 0.004, 0.495, 3000, width=width),
            sized(3, 0.030, 0.300, 2000, width=width),
        ]
    )
    assert len(front) == 4
    assert choose(front, ("accuracy",)).number == 0
    assert choose(front, ("accuracy", "latency")).number == 2
    assert choose(front, ("accuracy", "size")).number == 2
    assert choose(front, ("accuracy", "latency", "size")).number == 2
    assert choose(front, ("latency", "accuracy", "size")).number == 3
    assert choose(front, ("size", "accuracy")).number == 3


def test_accuracies_are_compared_on_the_same_samples():
    """Each alone differs from the float model by an interval that holds the other; sample by sample they differ."""
    rng = np.random.default_rng(0)
    base = rng.normal(0, 1, 400)
    better = sized(0, 0.00, 0.6, width=0.1, scores=base)
    worse = sized(1, 0.05, 0.5, width=0.1, scores=base - 0.05 + rng.normal(0, 0.01, 400))
    assert choose(ParetoFront([better, worse]), "accurate").number == 0
    alone = ParetoFront([sized(0, 0.00, 0.6, width=0.1), sized(1, 0.05, 0.5, width=0.1)])
    assert choose(alone, "accurate").number == 1
    # Of samples that only one of them was scored on nothing is said.
    partly = replace(worse.evaluation.accuracy, scores=np.where(np.arange(400) < 200, np.nan, base))
    equal = replace(worse, evaluation=replace(worse.evaluation, accuracy=partly))
    assert choose(ParetoFront([better, equal]), "accurate").number == 1


def test_an_empty_front_has_no_choice():
    for rule in ("fastest", "accurate", "smallest", "knee", ("size",)):
        with pytest.raises(BudgetError, match="the front is empty"):
            choose(ParetoFront([]), rule)


def test_rules_as_users_write_them():
    assert parse_rule("accurate") == "accurate"
    assert parse_rule(["accuracy", "size"]) == ("accuracy", "size")


@pytest.mark.parametrize("rule", ["best", "accuracy", [], ["accuracy", "accuracy"], ["speed"], ["fastest"]])
def test_rules_that_are_none(rule):
    message = (
        r"choose is .*: write 'fastest', 'accurate', 'smallest' or 'knee', or a list of .*'accuracy', 'latency', 'si"
    )
    with pytest.raises(ConfigError, match=message):
        parse_rule(rule)


@pytest.mark.parametrize(("other", "chosen"), [(0.2, 1), (0.45, 1), (0.9, 0)])
def test_of_scores_on_the_same_samples_only_what_is_shown_counts(other, chosen):
    """The slower one scores 1 where the faster does not, in so many of 40 samples more than the other way round."""
    lost, won = np.ones(40), np.ones(40)
    lost[:8] = 0
    won[8 : 8 + round(8 * (1 - other))] = 0
    front = ParetoFront([sized(0, 0.0, 0.9, scores=won), sized(1, 0.1, 0.5, scores=lost)])
    assert choose(front, ("accuracy", "latency")).number == chosen


def test_one_row_of_a_table_is_the_chosen_one():
    front = ParetoFront([sized(0, 0.0, 0.9), sized(1, 0.005, 0.5), sized(2, 0.009, 0.7)])
    table = TrialTable.of(front, search_info())
    assert [row.number for row in table.rows if row.chosen] == [1]
    assert table.chosen.number == 1


def test_one_sample_alone_decides_by_its_score():
    front = ParetoFront([sized(0, 0.0, 0.9, scores=[0.8]), sized(1, 0.1, 0.5, scores=[0.7])])
    assert choose(front, ("accuracy", "latency")).number == 0


def test_the_float_model_is_chosen_where_a_quantized_one_keeps_the_limits_too():
    original, quantized = sized(0, 0.0, 0.5), sized(1, 0.1, 0.9)
    original = replace(original, fingerprint=FLOAT_FINGERPRINT)
    assert original.is_baseline
    failed = replace(quantized, number=2, state=TrialState.FAILED, evaluation=None)
    assert chosen_of(ParetoFront([original, quantized]), "fastest") == original
    assert chosen_of(ParetoFront([original, failed]), "fastest") is None
    assert chosen_of(ParetoFront([original, replace(quantized, feasible=False)]), "fastest") is None
    assert chosen_of(ParetoFront([replace(quantized, feasible=False)]), "fastest") is None


def test_why_each_other_member_was_not_chosen():
    width = 0.005
    points = [(0.0, 1.0, 9000), (0.002, 0.5, 4000), (0.004, 0.495, 3000), (0.03, 0.3, 2000)]
    front = ParetoFront([sized(number, *point, width=width) for number, point in enumerate(points)])
    assert choose(front, ("accuracy", "latency")).number == 2
    assert passed_over(front, ("accuracy", "latency")) == {
        0: PassedOver("latency", shown=False, equal_by=("accuracy",)),
        1: PassedOver("latency", shown=False, equal_by=("accuracy",)),
        3: PassedOver("accuracy", shown=True, equal_by=()),
    }
    assert passed_over(front, ("size", "latency", "accuracy")) == {
        number: PassedOver("size", shown=True, equal_by=()) for number in (0, 1, 2)
    }
    knee = choose(front, "knee").number
    assert passed_over(front, "knee") == {
        number: PassedOver("knee", shown=False, equal_by=()) for number in range(4) if number != knee
    }


def test_where_each_trial_stands():
    front = ParetoFront(
        [
            sized(0, 0.0, 0.9),
            sized(1, 0.005, 0.95),
            replace(sized(2, 0.5, 0.1), feasible=False),
            replace(sized(3, 0.1, 0.1), state=TrialState.FAILED),
            replace(sized(4, 0.1, 0.1), state=TrialState.FAILED, evaluation=None),
        ]
    )
    table = TrialTable.of(front, search_info())
    assert [row.place for row in table.rows] == [Place.FRONT, Place.WITHIN, Place.OUTSIDE, Place.FAILED, Place.FAILED]
    assert [row.rank for row in table.rows] == [1, None, None, None, None]
    assert TrialRow.alone(front.records[0]).place is Place.WITHIN


@pytest.mark.parametrize("counts", [(5, 4), (4, 5), (0, 4)])
def test_scores_of_other_samples_are_not_paired(counts):
    one, other = (sized(n, 0.1 * n, 0.9 - 0.4 * n, scores=np.ones(count)) for n, count in enumerate(counts))
    assert choose(ParetoFront([one, other]), ("accuracy", "latency")).number == 0
