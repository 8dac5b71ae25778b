"""What a search does is logged for those who debug it, and for nobody else."""

import logging

from autoq.searching.loop import Budget, explore
from autoq.searching.recorded import recorded_problem, synthetic_table
from autoq.searching.records import Limits
from autoq.searching.study import Storage, Study, quiet_optuna

TABLE = synthetic_table(3, units=4)


def explored(n_trials):
    budget = Budget(n_trials=n_trials, limits=Limits(max_drop=TABLE.max_drop))
    with quiet_optuna():
        study = Study(Storage.in_memory(), "s", sampler="random", seed=0, identity={})
        explore(recorded_problem(TABLE), study, budget, [], stage=lambda *_: None, attach=list, seed=0)


def test_each_trial_is_logged(caplog):
    caplog.set_level(logging.DEBUG, "autoq")
    explored(3)
    said = [record.getMessage() for record in caplog.records]
    for number in range(3):
        assert sum(text.startswith(f"trial {number} was measured: drop ") for text in said) == 1
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


def test_nothing_is_logged_by_default(capfd, caplog):
    explored(3)
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
