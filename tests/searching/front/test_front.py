import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import record

from autoq.core import BudgetError, Plan, Precision, Recipe
from autoq.evaluation.scoring import Outcome
from autoq.searching.front import objectives
from autoq.searching.records import TrialState
from autoq.searching.shown import ParetoFront

POINTS = st.lists(st.tuples(st.floats(-0.1, 1), st.floats(0.1, 2)), min_size=1, max_size=12)


def dominates(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


@given(POINTS)
def test_the_staircase_is_what_exhaustive_comparison_finds(points):
    front = ParetoFront([record(i, *p) for i, p in enumerate(points)])
    expected = {p for p in points if not any(dominates(q, p) for q in points)}
    assert {objectives(r) for r in front.staircase} == expected
    assert len(front.staircase) == len(expected)


@given(POINTS, st.floats(0, 0.3))
def test_a_record_is_left_out_only_where_another_is_shown_to_beat_it(points, width):
    def shown(a, b):
        return dominates(a, b) and any(x + width < y - width for x, y in zip(a, b, strict=True))

    front = ParetoFront([record(i, *p, width=width) for i, p in enumerate(points)])
    expected = {i for i, p in enumerate(points) if not any(shown(q, p) for q in points)}
    assert {r.number for r in front} == expected
    assert [objectives(r)[1] for r in front] == sorted(objectives(r)[1] for r in front)


def test_after_a_closing_session_only_what_was_measured_in_it_counts():
    lucky, finalist = record(0, 0.01, 0.4), record(1, 0.02, 0.5, remeasured=True)
    assert [r.number for r in ParetoFront([lucky, finalist])] == [1]


@pytest.mark.parametrize("outcome", [Outcome.INFEASIBLE, Outcome.DOMINATED])
def test_what_was_given_up_is_not_on_the_front(outcome):
    given_up = record(0, 0.01, 0.4)
    accuracy = replace(given_up.evaluation.accuracy, outcome=outcome)
    given_up = replace(given_up, evaluation=replace(given_up.evaluation, accuracy=accuracy))
    assert [r.number for r in ParetoFront([given_up, record(1, 0.02, 0.5)])] == [1]


@given(POINTS)
def test_hypervolume_is_the_area_of_the_union_of_boxes(points):
    front = ParetoFront([record(i, *p) for i, p in enumerate(points)])
    reference = (1.0, 2.0)
    xs = sorted({p[0] for p in points} | {reference[0]})
    ys = sorted({p[1] for p in points} | {reference[1]})
    area = sum(
        (x1 - x0) * (y1 - y0)
        for (x0, x1), (y0, y1) in itertools.product(itertools.pairwise(xs), itertools.pairwise(ys))
        if any(p[0] <= x0 and p[1] <= y0 for p in points)
    )
    np.testing.assert_allclose(front.hypervolume(reference), area, atol=1e-12)


def test_only_complete_feasible_trials_can_be_on_the_front():
    records = [
        record(0, 0.02, 0.5),
        record(1, 0.01, 0.4, feasible=False),
        record(2, state=TrialState.FAILED, evaluation=None),
    ]
    assert [r.number for r in ParetoFront(records)] == [0]


def test_fastest_within_a_drop():
    front = ParetoFront([record(0, 0.0, 1.0), record(1, 0.01, 0.7), record(2, 0.05, 0.4)])
    assert front.fastest().number == 2
    assert front.fastest(max_drop=0.02).number == 1
    with pytest.raises(BudgetError, match=r"drop of at most -1: the closest is trial 0"):
        front.fastest(max_drop=-1)
    with pytest.raises(BudgetError, match="empty"):
        ParetoFront([]).fastest()


@given(
    st.lists(
        st.tuples(st.floats(-0.1, 1), st.floats(0.1, 2), st.sampled_from([Precision.FLOAT, Precision.INT8])),
        min_size=1,
        max_size=12,
    ),
    st.floats(0, 0.3),
    st.data(),
)
def test_alike_is_what_has_the_same_precisions_and_is_not_shown_to_differ(points, width, data):
    def plan(precision, number):
        # An int8 group that is named and one that is not are the same.
        return Plan.quantized(Recipe(subset_size=1 + number), {"a": precision, "b": Precision.INT8})

    records = [
        record(i, drop, ratio, width=width, plan=plan(precision, i))
        for i, (drop, ratio, precision) in enumerate(points)
    ]
    front = ParetoFront(records)
    first = data.draw(st.sampled_from([None, *front]))
    rows = front.alike(first)
    assert sorted(r.number for row in rows for r in row) == sorted(r.number for r in front)
    assert [row[0].number for row in rows] == [r.number for r in front if r.number in {row[0].number for row in rows}]
    for head, *others in rows:
        for other in others:
            assert other.plan.float_groups == head.plan.float_groups
            assert all(abs(x - y) <= 2 * width + 1e-9 for x, y in zip(objectives(head), objectives(other), strict=True))
            assert other.number != getattr(first, "number", None)


def test_the_same_groups_in_float_by_other_means_are_not_alike():
    plans = [
        Plan.quantized(Recipe(), {"a": Precision.FLOAT}),
        Plan.quantized(Recipe(runtime_precision="f32"), {"a": Precision.FLOAT}),
        Plan.quantized(Recipe(), {"a": Precision.INT8_WEIGHTS}),
        Plan.quantized(Recipe(preset="mixed"), {"a": Precision.FLOAT, "b": Precision.INT8}),
    ]
    front = ParetoFront([record(number, plan=plan) for number, plan in enumerate(plans)])
    assert [[r.number for r in row] for row in front.alike()] == [[0, 3], [1], [2]]


def test_of_those_that_are_equally_fast_the_most_accurate_is_chosen():
    fast = [record(0, 0.009, 0.500, width=0.004), record(1, 0.002, 0.503, width=0.004)]
    assert ParetoFront([*fast, record(2, 0.001, 0.6, width=0.004)]).fastest().number == 1
    assert ParetoFront([record(0, 0.009, 0.500), record(1, 0.002, 0.503)]).fastest().number == 0


def test_the_knee_is_the_bend():
    assert ParetoFront([record(0, 0.0, 1.0), record(1, 0.01, 0.45), record(2, 0.1, 0.4)]).knee().number == 1


def test_the_knee_is_the_same_in_any_unit():
    """Farthest from the line between the ends, by a triangle's area."""
    drops, ratios = np.array([0.0, 0.002, 0.009, 0.01]), np.array([1.0, 0.7, 0.5, 0.4])
    for scale in (0.01, 1.0, 100.0):
        front = ParetoFront(
            [record(n, scale * drop, ratio) for n, (drop, ratio) in enumerate(zip(drops, ratios, strict=True))]
        )
        area = (drops[-1] - drops[0]) * (ratios[0] - ratios) - (drops - drops[0]) * (ratios[0] - ratios[-1])
        assert front.knee().number == np.argmax(area) == 1


def test_of_two_steps_the_knee_is_the_fastest():
    assert ParetoFront([record(0, 0.0, 1.0), record(1, 0.01, 0.9)]).knee().number == 1


def test_members_that_the_evidence_does_not_separate_are_tied():
    front = ParetoFront([record(0, 0.0, 1.0), record(1, 0.010, 0.50, width=0.01), record(2, 0.012, 0.49, width=0.01)])
    assert front.tied == {1, 2}


def test_saving_writes_every_member(tmp_path):
    import json

    front = ParetoFront([record(0, 0.0, 1.0), record(1, 0.01, 0.7)])
    saved = json.loads(front.save(tmp_path / "front.json").read_text())
    assert [member["number"] for member in saved["members"]] == [1, 0]


def test_what_differs_in_its_recipe_alone_is_drawn_as_a_dot():
    alike = [record(0, 0.0104, 0.5), record(1, 0.01, 0.5), record(2, 0.0102, 0.5)]
    ax = ParetoFront([*alike, record(3, 0.001, 0.8)]).plot()
    assert [text.get_text() for text in ax.texts] == ["1", "3"]
    drawn = {c.get_label(): sorted(map(tuple, c.get_offsets())) for c in ax.collections}
    np.testing.assert_allclose(drawn["on the front, like a numbered one"], [(2, 0.0102), (2, 0.0104)])


def test_a_longer_search_stands_behind_a_front():
    front = ParetoFront([record(0, 0, 1, fingerprint="float"), record(1, 0.01, 0.5)])
    longer = ParetoFront(
        [record(0, 0, 1, fingerprint="float"), record(1, 0.008, 0.5), record(2, 0.02, 0.4), record(3, 1, 1)]
    )
    ax = front.plot(behind=longer)
    labels = ax.get_legend_handles_labels()[1]
    assert "front after 4 candidates" in labels
    drawn = next(c for c in ax.collections if c.get_label() == "front after 4 candidates").get_offsets()
    np.testing.assert_allclose(sorted(map(tuple, drawn)), [(1, 0), (2, 0.008), (2.5, 0.02)])
    assert not any("after" in label for label in front.plot(behind=ParetoFront([])).get_legend_handles_labels()[1])
