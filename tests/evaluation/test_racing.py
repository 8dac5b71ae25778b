"""A race gives up what is hopeless early, and what is not hopeless hardly ever."""

import numpy as np
import pytest

from autoq.evaluation import race


def candidate(rng, lost, total=2000):
    """0/1 scores of a float model and of a candidate that loses some of what it had right."""
    reference = (rng.random(total) < 0.9).astype(float)
    scores = reference.copy()
    flipped = rng.choice(np.flatnonzero(reference), int(lost * total), replace=False)
    scores[flipped] = 0
    return reference, scores


def run(reference, scores, max_drop, seed=0):
    asked = []

    def score(indices):
        asked.extend(indices)
        return scores[indices]

    result = race(score, reference, max_drop=max_drop, seed=seed)
    assert len(set(asked)) == len(asked) == len(result.scores)
    np.testing.assert_array_equal(result.scores, scores[result.order])
    return result


def test_a_hopeless_candidate_costs_a_fraction():
    result = run(*candidate(np.random.default_rng(0), lost=0.2), max_drop=0.01)
    assert not result.finished
    assert len(result.scores) <= 250
    assert result.drop.low > 0.01
    assert not result.meets(0.01)


def test_a_good_candidate_is_scored_on_everything():
    reference, scores = candidate(np.random.default_rng(0), lost=0.005)
    result = run(reference, scores, max_drop=0.01)
    assert result.finished
    assert result.meets(0.01)
    assert result.drop.value == pytest.approx(reference.mean() - scores.mean())
    assert result.drop.low == result.drop.high == result.drop.value


@pytest.mark.parametrize("lost", [0.01, 0.008])
def test_candidates_that_meet_the_budget_are_hardly_ever_given_up(lost):
    rng = np.random.default_rng(1)
    given_up = sum(not run(*candidate(rng, lost), max_drop=0.01, seed=seed).finished for seed in range(300))
    assert given_up <= 300 * 0.01 + 3 * np.sqrt(300 * 0.01 * 0.99)


@pytest.mark.parametrize("total", [1, 5, 40])
def test_few_items_are_no_problem(total):
    result = run(np.ones(total), np.ones(total), max_drop=0.0)
    assert result.finished
    assert result.drop.value == 0
