"""What the next seconds of a search go to, as it was told what they cost and are worth."""

from dataclasses import replace

import numpy as np
import pytest
from records import record

from autoq.evaluation.scoring import Outcome
from autoq.searching.loop._costs import Costs, first_items
from autoq.searching.loop._further import What, further
from autoq.searching.records import TrialState
from autoq.searching.sampler import Prospects

SECONDS = {"build": 0.1, "compile": 0.2, "score": 2.0, "time": 0.7}


def scored(number, n, outcome=Outcome.PARTIAL, *, seconds=SECONDS, samples=1000, **changes):
    made = record(number, seconds=seconds, **changes)
    scores = np.where(np.arange(samples) < n, 1.0, np.nan)
    accuracy = replace(made.evaluation.accuracy, n=n, outcome=outcome, scores=scores)
    return replace(made, evaluation=replace(made.evaluation, accuracy=accuracy))


def prospects(proposal, samples=(), timing=()):
    return Prospects(9, proposal, 1.0, dict(samples), dict(timing))


def test_costs_are_those_of_the_latest_candidates():
    slow = scored(1, 200, seconds={part: 10 * s for part, s in SECONDS.items()})
    costs = Costs.of([slow, *(scored(number, 200) for number in range(2, 30))])
    assert (costs.build_s, costs.sample_s, costs.timing_s) == pytest.approx((0.3, 0.01, 0.7))
    assert costs.balanced_items == pytest.approx(100)
    assert costs.trial_s(50) == pytest.approx(1.5)
    failed = record(0, state=TrialState.FAILED, evaluation=None)
    assert Costs.of([failed, scored(1, 200, fingerprint="float")]) is None


@pytest.mark.parametrize(
    ("samples", "screened", "items"),
    [
        (50, False, 50),  # few samples: all of them
        (50, True, 50),
        (400, False, 400),
        (400, True, 400),  # a part of few samples tells little
        (600, True, 100),  # too dear
        (1200, False, 1200),  # the first ones tell which samples tell
        (1300, False, 100),  # too dear for that too
        (50_000, False, 100),
        (50_000, True, 100),
    ],
)
def test_a_candidate_is_scored_at_first_for_as_long_as_all_the_rest_takes(samples, screened, items):
    costs = Costs(build_s=0.3, sample_s=0.01, timing_s=0.7)
    assert first_items(costs, samples, screened=screened) == items


def test_the_first_candidates_are_scored_whole_while_that_takes_a_tenth_of_the_time_at_most():
    costs = Costs(build_s=0.3, sample_s=0.01, timing_s=0.7)
    assert first_items(costs, 1000, screened=False, left_s=101.0) == 1000
    assert first_items(costs, 1000, screened=False, left_s=99.0) == 100
    assert first_items(costs, 500, screened=False, left_s=1.0) == 500  # a part of few samples tells little


def test_a_slow_model_is_scored_at_first_on_as_many_samples_as_timing_runs():
    # A second per inference: timing takes 32 of them.
    assert first_items(Costs(build_s=1.0, sample_s=0.5, timing_s=32.0), 2000) == 66


def test_before_the_first_candidate_a_quarter_is_scored():
    assert first_items(None, 2000) == 500
    assert first_items(None, 1) == 1


def test_what_is_worth_more_by_second_comes_first():
    records = [scored(1, 100), scored(2, 100)]  # 0.02 s a sample: a new trial takes 2 s, 100 samples more 2.3 s
    assert further(prospects(0.1, {1: 0.05}), records, 1000) is None
    step = further(prospects(0.1, {1: 0.2, 2: 0.3}), records, 1000)
    assert (step.record.number, step.what, step.items) == (2, What.SAMPLES, 200)
    step = further(prospects(0.1, {1: 0.2}, {2: 0.1}), records, 1000)  # timing takes 1 s
    assert (step.record.number, step.what) == (2, What.TIMING)
    assert further(prospects(0.1, {1: 0.2}, {2: 0.1}), records, 1000, {(2, What.TIMING)}).what is What.SAMPLES
    # No more samples than there are.
    assert further(prospects(0.0, {1: 1.0}), [scored(1, 800)], 1000).items == 1000


def test_what_cannot_be_measured_further_is_not():
    worth = prospects(0.0, dict.fromkeys(range(6), 1.0), {0: 1.0})
    records = [
        scored(0, 100, fingerprint="float", outcome=Outcome.FINISHED),
        scored(1, 100, Outcome.INFEASIBLE),
        scored(2, 100, Outcome.DOMINATED),
        scored(3, 1000, Outcome.FINISHED),
        record(4, state=TrialState.FAILED, evaluation=None),
    ]
    assert further(worth, records, 1000) is None
    assert further(worth, [], 1000) is None
    without_scores = replace(scored(5, 100).evaluation.accuracy, scores=np.empty(0))
    lost = replace(scored(5, 100), evaluation=replace(scored(5, 100).evaluation, accuracy=without_scores))
    assert further(worth, [lost], 1000) is None
    assert further(worth, [scored(5, 100)], 1000).record.number == 5


def test_what_adds_next_to_nothing_is_not_measured():
    assert further(prospects(0.0, {1: 5e-5}), [scored(1, 100)], 1000) is None
