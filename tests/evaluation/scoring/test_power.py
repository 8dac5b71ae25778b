"""What data can prove before anything is scored, beside the intervals that candidates get."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autoq.core import Estimate
from autoq.evaluation.scoring import Accuracy, paired_drop, power_note, samples_to_prove


def accuracy(scores, n=None):
    scores = np.asarray(scores, float)
    return Accuracy(
        float(scores.mean()) if scores.size else 0.5, Estimate(0, 0, 0), len(scores) if n is None else n, scores
    )


@given(st.floats(1e-4, 0.5))
def test_of_scores_of_0_and_1_it_is_the_fewest_of_which_the_interval_keeps_the_budget(max_drop):
    needed = int(samples_to_prove(np.ones(12), max_drop))
    assert paired_drop(np.ones(needed), np.ones(needed)).high <= max_drop * (1 + 1e-9)
    assert needed == 1 or paired_drop(np.ones(needed - 1), np.ones(needed - 1)).high > max_drop


@pytest.mark.parametrize("max_drop", [0.001, 0.003, 0.01])
def test_of_other_scores_small_changes_have_an_interval_that_keeps_the_budget(max_drop):
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 1, 50)
    needed = int(samples_to_prove(scores, max_drop))

    def high(count):
        change = np.tile([-1.0, 1.0], count)[:count] * 0.05 * np.std(scores)
        change -= change.mean()
        return paired_drop(np.zeros(count), change).high

    assert high(needed) <= max_drop * 1.2
    assert high(int(0.8 * needed)) > max_drop


def test_twelve_samples():
    note = power_note(accuracy([1, 0] * 6), 0.01)
    assert note == (
        "12 validation samples cannot prove a drop of at most 0.01, not even for a model that loses none of them: that "
        "takes 381 or more"
    )
    assert power_note(accuracy([1, 0] * 200), 0.01) is None
    assert power_note(accuracy([1, 0] * 6), None) is None
    others = power_note(accuracy(np.linspace(0, 100, 12)), 0.01)
    assert others.endswith("for a model that changes single scores by little: that takes 94,584 or more")
    assert power_note(accuracy([1]), 0.01).startswith("1 validation sample cannot prove a drop of at most 0.01, ")


@pytest.mark.parametrize("max_drop", [0.04, 0.05, 0.06, 0.1, 0.2, 0.5, 5.0])
def test_of_few_samples_it_is_the_least_number_whose_interval_is_as_narrow(max_drop):
    scores = np.array([-1.0, 1.0] * 20)
    narrow = (n for n in range(2, 1000) if stats.t.ppf(0.975, n - 1) * 0.05 / np.sqrt(n) <= max_drop)
    assert samples_to_prove(scores, max_drop) == next(narrow)


def test_what_is_enough_is_enough_and_one_fewer_is_not():
    assert power_note(accuracy(np.ones(381)), 0.01) is None
    assert "that takes 381 or more" in power_note(accuracy(np.ones(380)), 0.01)


def test_scores_of_blocks_count_the_samples_in_them():
    blocks = np.random.default_rng(0).normal(0.8, 1.0, 40)
    few, many = (power_note(accuracy(blocks, n), 0.001) for n in (400, 4000))
    assert 10 * int(few.split()[-3].replace(",", "")) == pytest.approx(int(many.split()[-3].replace(",", "")), rel=0.01)


@pytest.mark.parametrize("each", [1, 2, 3, 10])
@pytest.mark.parametrize("max_drop", [0.01, 2 / 52.5, 0.05])
def test_blocks_take_as_many_times_the_samples_as_each_of_them_has(each, max_drop):
    scores = np.arange(7.0)
    blocks = int(samples_to_prove(scores, max_drop))
    note = power_note(accuracy(scores, 7 * each), max_drop)
    assert note.endswith(f"that takes {each * blocks:,} or more")


def test_what_no_number_of_samples_proves():
    assert samples_to_prove(np.ones(10), 0.0) == np.inf
    assert "no number of samples" in power_note(accuracy([1.0] * 10), 0.0)
    assert "one number for all samples" in power_note(accuracy([]), 0.01)
