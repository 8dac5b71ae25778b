"""Candidates with what failed ones have in common are passed over."""

import numpy as np
import pytest

from autoq.searching.sampler._encoding import Points
from autoq.searching.sampler._suspects import unsuspected


def points(*rows: str, choices=None) -> Points:
    """One digit by unit, the place of its choice; one choice of the field where none are given."""
    taken = np.array([[int(digit) for digit in row] for row in rows], np.intp).reshape(len(rows), -1)
    return Points(taken, np.zeros((len(rows), 1), np.intp) if choices is None else np.array(choices)[:, None])


def left(candidates, failed, measured):
    return ["".join(map(str, row)) for row in unsuspected(candidates, failed, measured).taken.tolist()]


EVERY = points(*(f"{number:03b}" for number in range(8)))


def test_one_failure_is_no_pattern():
    assert len(unsuspected(EVERY, points("111"), points("000"))) == 8


def test_what_all_that_failed_have_and_none_that_was_measured_is_left_out():
    assert left(EVERY, points("111", "110"), points("000", "101", "001")) == ["000", "001", "100", "101"]


def test_of_several_suspects_half_are_tried_at_most():
    assert left(EVERY, points("111", "111"), points("000")) == ["000", "001", "010", "100"]


def test_where_every_candidate_is_suspect_the_least_suspect_are_tried():
    assert left(points("111", "110"), points("110", "110"), points("000")) == ["111", "110"]
    assert left(points("1110", "1101", "1111"), points("1110", "1111"), points("1000")) == ["1101"]


def test_a_choice_can_be_what_is_refused():
    candidates = points("1", "1", "1", choices=[0, 1, 2])
    kept = unsuspected(candidates, points("1", "1", choices=[1, 1]), points("1", "0", choices=[0, 0]))
    assert kept.fields[:, 0].tolist() == [0, 2]


def test_of_a_unit_with_several_choices_one_can_be_what_is_refused():
    assert left(points("00", "10", "20", "21"), points("10", "11"), points("00", "21")) == ["00", "20", "21"]


@pytest.mark.parametrize("culprit", range(16))
def test_one_refused_unit_of_many_costs_few_trials(culprit):
    rng = np.random.default_rng(culprit)
    int8 = rng.random((4000, 16)) < rng.random((4000, 1))
    pool = Points(int8.astype(np.intp), np.zeros((4000, 1), np.intp))
    failed, measured = points("1" * 16, "1" * 16), points("0" * 16)
    for _ in range(12):
        candidates = unsuspected(pool, failed, measured)
        row = candidates[[int(candidates.taken.sum(axis=1).argmax())]]  # the greediest
        if row.taken[0, culprit]:
            failed = Points.concatenate([failed, row])
        else:
            measured = Points.concatenate([measured, row])
    assert len(failed) - 2 <= 5
    assert measured.taken[-1].sum() >= 14
