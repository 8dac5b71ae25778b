"""Which groups are refused, by halves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoq.evaluation.distortion import refused_groups

GROUPS = [f"group_{number}" for number in range(40)]


@given(st.sets(st.sampled_from(GROUPS), min_size=1))
def test_what_is_refused_is_found(culprits):
    asked = []

    def takes(int8):
        asked.append(int8)
        return culprits.isdisjoint(int8)

    assert set(refused_groups(GROUPS, takes)) == culprits
    assert all(int8 < set(GROUPS) for int8 in asked)


@pytest.mark.parametrize("culprit", [0, 17, 39])
def test_one_of_forty_takes_a_dozen_questions(culprit):
    asked = []

    def takes(int8):
        asked.append(int8)
        return GROUPS[culprit] not in int8

    assert refused_groups(GROUPS, takes) == (GROUPS[culprit],)
    assert len(asked) <= 12


def test_of_two_that_are_refused_together_one_is_left_in_float():
    found = refused_groups(GROUPS, lambda int8: not {GROUPS[3], GROUPS[30]} <= int8)
    assert found in {(GROUPS[3],), (GROUPS[30],)}
