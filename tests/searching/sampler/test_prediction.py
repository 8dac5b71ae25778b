"""What is predicted from measured trials, on a table of which every plan is known."""

import numpy as np
import pytest

from autoq.searching.front import objectives
from autoq.searching.loop import Budget, run, steer
from autoq.searching.problem import learn
from autoq.searching.recorded import recorded_problem, synthetic_table
from autoq.searching.records import TrialRecord, TrialState
from autoq.searching.sampler import predict, prediction_error
from autoq.searching.study import Study, quiet_optuna


@pytest.fixture(scope="module")
def table():
    return synthetic_table(3, units=6)


def trials(table, rows):
    problem = recorded_problem(table)
    for row in rows:
        plan = table.space.plan(row)
        evaluation, _ = problem.evaluator.evaluate(problem.builder.build(plan), plan.runtime_choice)
        yield TrialRecord(
            number=row,
            state=TrialState.COMPLETE,
            origin="random",
            plan=plan,
            fingerprint=str(table.fingerprints[row]),
            hardware="a machine",
            evaluation=evaluation,
        )


def test_plans_that_were_not_measured_are_predicted_as_well_as_is_claimed(table):
    measured = np.random.default_rng(0).permutation(np.arange(1, len(table.space)))[:30]
    others = np.setdiff1d(np.arange(1, len(table.space)), measured)
    dimensions = recorded_problem(table).dimensions
    records = list(trials(table, [0, *measured]))
    mean, sd = predict(dimensions, table.knowledge, records, [table.space.plan(row) for row in others])
    true = np.column_stack([table.drops, table.ratios])[others]
    errors = np.abs(mean - true)
    assert np.sqrt(np.mean(errors**2, axis=0)) == pytest.approx([0, 0], abs=0.25 * true.std(axis=0).min())
    # Nine of ten within two standard deviations, in both: neither overconfident nor of no use.
    assert ((errors <= 2 * sd + 1e-9).mean(axis=0) > 0.9).all()
    assert (sd < true.std(axis=0)).all()


def test_the_error_is_that_of_trials_predicted_from_the_others(table):
    rows = np.random.default_rng(1).permutation(np.arange(1, len(table.space)))[:25]
    dimensions = recorded_problem(table).dimensions
    records = list(trials(table, [0, *rows]))
    found = prediction_error(dimensions, table.knowledge, records)
    assert found.trials == 25
    errors = []
    for left in range(1, 26):
        mean, _ = predict(
            dimensions, table.knowledge, records[:left] + records[left + 1 :], [table.space.plan(rows[left - 1])]
        )
        errors.append(mean[0] - [table.drops[rows[left - 1]], table.ratios[rows[left - 1]]])
    # There the scales are fitted without it too, which changes a little.
    drop, latency = np.sqrt(np.mean(np.square(errors), axis=0))
    assert found.drop == pytest.approx(drop, rel=0.25)
    assert found.latency == pytest.approx(latency, rel=0.25)
    assert found.drop < found.drop_spread
    assert found.latency < found.latency_spread
    assert found.drop_noise == 0


def test_trials_are_predicted_better_than_by_their_mean():
    table = synthetic_table(3, units=6)
    problem = recorded_problem(table)
    with quiet_optuna():
        study = Study(None, "search", sampler="front", seed=0, identity={})
        budget = Budget(n_trials=25)
        knowledge = learn(problem, study, lambda *_: None)
        steer(problem, study, budget, knowledge, 0)
        run(problem, study, budget, [], [])
    records = study.records()
    found = prediction_error(problem.dimensions, knowledge, records)
    measured = [record for record in records if not record.is_baseline]
    assert found.trials == len(measured)
    spread = np.std([objectives(record) for record in measured], axis=0)
    assert (found.drop_spread, found.latency_spread) == pytest.approx(spread)
    assert found.drop < found.drop_spread
    assert found.latency < 0.5 * found.latency_spread
    assert f"each of {found.trials} trials from the others with an error of {found.drop:.2g} in drop" in found.text


def test_a_few_trials_say_nothing_of_the_models(table):
    records = list(trials(table, range(8)))
    assert prediction_error(recorded_problem(table).dimensions, table.knowledge, records) is None
