"""How well a search could have predicted its own trials."""

import numpy as np
import pytest

from autoq.search import Budget, Study, learn, objectives, prediction_error, quiet_optuna, run, steer, synthetic_table


def test_trials_are_predicted_better_than_by_their_mean():
    table = synthetic_table(3, units=6)
    problem = table.problem()
    with quiet_optuna():
        study = Study(None, "search", sampler="front", seed=0, identity={})
        budget = Budget(n_trials=25, deadline=None)
        knowledge = learn(problem, study, lambda *_: None)
        steer(problem, study, budget, knowledge, 0)
        run(problem, study, budget, [], [])
    records = study.records()
    found = prediction_error(problem.dimensions, knowledge, records)
    measured = [record for record in records if not record.is_baseline and record.duplicate_of is None]
    assert found.trials == len(measured)
    spread = np.std([objectives(record) for record in measured], axis=0)
    assert (found.drop_spread, found.latency_spread) == pytest.approx(spread)
    assert found.drop < found.drop_spread
    assert found.latency < 0.5 * found.latency_spread
    assert f"each of {found.trials} trials from the others with an error of {found.drop:.2g} in drop" in found.text
    assert prediction_error(problem.dimensions, knowledge, records[:8]) is None
