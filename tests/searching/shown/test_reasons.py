"""Why one is chosen, and faster ones are not."""

from dataclasses import replace

import numpy as np
import pytest
from records import record

from autoq.core import Plan, Precision, Recipe
from autoq.evaluation.scoring import Outcome
from autoq.searching.front import TrialRow, TrialTable, choose
from autoq.searching.records import Limits
from autoq.searching.shown import ParetoFront, why_chosen


def made(number, drop, ratio, *, size=1000, outcome=Outcome.FINISHED, **changes):
    one = record(number, drop, ratio, plan=Plan.quantized(Recipe(), {str(number): Precision.FLOAT}), **changes)
    accuracy = replace(one.evaluation.accuracy, outcome=outcome, scores=np.empty(0))
    return replace(one, evaluation=replace(one.evaluation, accuracy=accuracy, size_bytes=size))


def reasons(records, rule="fastest", limits=None):
    front = ParetoFront(records)
    chosen = choose(front, rule).number
    rows = [replace(row, chosen=row.number == chosen) for row in TrialTable.of(front).rows]
    return why_chosen(front, TrialTable(tuple(rows), limits or Limits(max_drop=0.01)), rule)


FLOAT = made(0, 0.0, 1.0, fingerprint="float")


def test_the_fastest_needs_no_more_reason():
    assert reasons([FLOAT, made(1, 0.004, 0.5)]) == (
        "Trial 1 is chosen because it is the fastest one on the front.",
        "No other one is faster.",
    )
    assert reasons([made(1, 0.004, 0.5)])[0] == "Trial 1 is chosen because it is the only one on the front."


def test_each_kind_of_faster_one_has_its_reason():
    records = [
        FLOAT,
        made(1, 0.004, 0.5, remeasured=True),
        made(2, 0.005, 0.499, remeasured=True),
        made(3, 0.03, 0.4, feasible=False),
        made(4, 0.02, 0.45, feasible=False),
        made(5, 0.006, 0.44),
        made(6, 0.007, 0.48, outcome=Outcome.DOMINATED),
    ]
    drops = "+0.0050 [+0.0040, +0.0060] beside +0.0040 [+0.0030, +0.0050]"
    because, *others = reasons(records)
    assert because == (
        "Trial 1 is chosen because it is the most accurate of the 2 on the front that are not shown to be slower."
    )
    assert [text.split(" because ")[1] for text in others] == [
        "it has a drop of 0.0300 [0.0290, 0.0310], but the limits are max_drop = 0.01. The same holds for 1 more.",
        "it was not among the finalists, and only models that were measured together at the end are compared.",
        "it was given up: a part of the samples had shown that it cannot be on the front.",
        f"nothing shows that it is faster, and it is not the most accurate: accuracy drop {drops}.",
    ]
    assert [text.split(" is faster")[0] for text in others] == ["Trial 3", "Trial 5", "Trial 6", "Trial 2"]


@pytest.mark.parametrize(
    ("rule", "because", "not_because"),
    [
        (
            "accurate",
            "it is the most accurate one on the front",
            "it is shown to be less accurate: accuracy drop +0.0090",
        ),
        (
            "smallest",
            "it is the smallest one on the front",
            "it is shown to be larger by more than 1%: MB 0.0020 beside",
        ),
        (
            ("accuracy",),
            "it is the most accurate one on the front",
            "it is not the most accurate: accuracy drop +0.0090",
        ),
    ],
)
def test_other_rules_prefer_something_else_to_speed(rule, because, not_because):
    first, second = reasons([FLOAT, made(1, -0.004, 0.8, size=900), made(2, 0.009, 0.5, size=2000)], rule)
    assert first == f"Trial 1 is chosen because {because}."
    assert not_because in second


def test_the_bend_of_a_front():
    first, second = reasons([made(0, 0.0, 1.0), made(1, 0.001, 0.45), made(2, 0.009, 0.4)], "knee")
    assert first == "Trial 1 is chosen because the front bends most there."
    assert second.endswith("is not chosen because the front bends less there.")


def test_where_none_is_chosen_there_is_no_reason():
    assert why_chosen(ParetoFront([]), TrialTable(()), "fastest") == ()
    assert not TrialRow.alone(FLOAT).chosen
