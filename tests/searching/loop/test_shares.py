"""What a search spends on scoring and timing, on tables whose measurements have other costs; and when it ends."""

from dataclasses import replace

import numpy as np
import pytest

from autoq.evaluation.scoring import Outcome
from autoq.searching.loop import Budget, run, steer
from autoq.searching.problem import learn
from autoq.searching.recorded import recorded_problem, synthetic_table
from autoq.searching.recorded._score_table import ScoreTable
from autoq.searching.records import Limits
from autoq.searching.study import Study, quiet_optuna

TABLE = synthetic_table(3, units=5)
LIMITS = Limits(max_drop=0.02)
SAMPLES = len(TABLE.reference)


def costing(**factors):
    """The table with other seconds of some parts."""
    seconds = TABLE.seconds.copy()
    for column, part in enumerate(("build", "compile", "score", "time")):
        seconds[:, column] *= factors.get(part, 1.0)
    return replace(TABLE, seconds=seconds)


def searched(table, n_trials, *, sampler="front", **changes):
    """Records, as they were told, and the budget."""
    problem = recorded_problem(table)
    problem = replace(problem, space=problem.space.model_copy(update={"sampler": sampler}))
    budget = Budget(n_trials=n_trials, limits=LIMITS, **changes)
    told = []

    class Observer:
        def on_trial(self, record, front):
            told.append(record)

    with quiet_optuna():
        study = Study(None, "shares", sampler=sampler, seed=0, identity={})
        steer(problem, study, budget, learn(problem, study, lambda *_: None), 0)
        run(problem, study, budget, [Observer()], [])
    return study.records(), told, budget


def quantized(records):
    return [record for record in records if not record.is_baseline]


def test_samples_that_are_dear_are_few_at_first():
    records, told, _ = searched(costing(score=20.0), 16)
    first = {record.number: record for record in reversed(told)}
    looks = [first[r.number].evaluation.accuracy for r in quantized(records)]
    assert np.median([accuracy.n for accuracy in looks]) <= SAMPLES / 4
    assert all(accuracy.outcome is not Outcome.FINISHED for accuracy in looks[1:])
    rows = [TABLE.space.row(record.plan) for record in records]
    assert sum(r.seconds["score"] for r in records) < 0.4 * 20 * TABLE.seconds[rows, 2].sum()


def test_samples_that_cost_little_beside_timing_are_all_scored():
    records, _, _ = searched(costing(time=50.0), 10)
    within = [r.evaluation.accuracy for r in quantized(records) if r.feasible]
    assert all(a.outcome in {Outcome.FINISHED, Outcome.FEASIBLE, Outcome.DOMINATED} for a in within[1:])
    assert any(accuracy.outcome is Outcome.FINISHED for accuracy in within)


def test_what_is_told_again_is_known_better():
    _, told, _ = searched(TABLE, 24)
    seen = {}
    for record in told:
        if (before := seen.get(record.number)) is not None:
            assert record.evaluation.accuracy.n >= before.evaluation.accuracy.n
            assert sum(record.seconds.values()) > sum(before.seconds.values())
            assert record.plan == before.plan
        seen[record.number] = record
    assert len(told) > len(seen)


def test_a_sampler_that_knows_no_noise_gets_whole_scores():
    records, told, _ = searched(TABLE, 10, sampler="random")
    assert len(told) == len(records)
    assert not any(record.evaluation.accuracy.outcome is Outcome.PARTIAL for record in records)


@pytest.fixture(scope="module")
def flat():
    """A table whose plans are all as accurate as the float model, so that int8 alone is on the front."""
    return replace(TABLE, scores=ScoreTable.of(np.tile(TABLE.reference, (len(TABLE.space), 1))))


def test_a_search_ends_when_nothing_is_to_be_gained(flat):
    records, _, budget = searched(flat, 60, to_the_end=False)
    assert 8 <= len(records) < 30
    (sentence,) = budget.clock.shortened
    assert sentence.startswith("the search ended before its budget was spent: no further model is expected to differ")


def test_a_search_goes_on_to_the_end_where_that_is_wanted(flat):
    records, _, budget = searched(flat, 20, to_the_end=True)
    assert len(records) == 20
    assert budget.clock.shortened == []


def test_while_there_is_something_to_gain_it_goes_on():
    records, _, _ = searched(TABLE, 14, to_the_end=False)
    assert len(records) == 14
