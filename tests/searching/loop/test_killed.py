"""A search that is killed at any write of its study, over and over again, comes to what one comes to that is not."""

from dataclasses import replace

import pytest

from autoq.evaluation.isolation import Meanwhile
from autoq.searching.loop import Budget, close, explore
from autoq.searching.recorded import MEASURED, recorded_problem, synthetic_table
from autoq.searching.records import Limits, record_to_dict
from autoq.searching.shown import ParetoFront
from autoq.searching.study import Storage, Study, quiet_optuna

TABLE = synthetic_table(3, units=6)


class Killed(BaseException):
    """No code of the process runs any more."""


class Store:
    """Writes of a storage are counted, and the process is killed right before or right after one of them."""

    def __init__(self, kept, at, *, after):
        self._kept, self._at, self._after, self.writes = kept, at, after, 0

    def __getattr__(self, name):
        call = getattr(self._kept, name)
        if not name.startswith(("set_", "create_")):
            return call

        def counted(*arguments, **keywords):
            self.writes += 1
            if self.writes > self._at or (self.writes == self._at and not self._after):
                raise Killed
            found = call(*arguments, **keywords)
            if self.writes == self._at:
                raise Killed
            return found

        return counted


def session(storage, scores, sampler, *, at=10**9, after=False, meanwhile=None):
    """Runs a search to its end or until it is killed: its records, or None, and how often it wrote."""

    def attach(records):
        return [
            replace(record, evaluation=replace(record.evaluation, accuracy=scores[record.number]))
            if record.number in scores and not record.remeasured
            else record
            for record in records
        ]

    problem = recorded_problem(TABLE)
    problem = replace(problem, space=problem.space.model_copy(update={"sampler": sampler}))
    budget = Budget(n_trials=12, limits=Limits(max_drop=TABLE.max_drop))
    killing = Store(storage.kept, at, after=after)

    def keep(record):
        if record.evaluation is not None and not record.remeasured:
            scores[record.number] = record.evaluation.accuracy

    try:
        study = Study(Storage(killing), "s", sampler=sampler, seed=0, identity={})
        explore(
            problem, study, budget, [], stage=lambda *_: None, attach=attach, seed=0, keep=keep, meanwhile=meanwhile
        )
        records = close(problem, study, budget, attach(study.records()), 20.0, lambda *_: None)
    except Killed:
        return None, killing.writes
    return records, killing.writes


def plain(records):
    # What a table does not tell, such as how long a proposal takes, never takes the same time twice.
    told = [replace(record, seconds={part: record.seconds[part] for part in MEASURED}) for record in records]
    return [record_to_dict(record) for record in told], [record.number for record in ParetoFront(records)]


def test_what_is_proposed_while_a_candidate_is_measured_is_what_is_proposed_afterwards():
    with quiet_optuna():
        whole, _ = session(Storage.in_memory(), {}, "front")
        ahead, _ = session(Storage.in_memory(), {}, "front", meanwhile=Meanwhile())
    assert plain(ahead) == plain(whole)


@pytest.mark.slow
def test_a_search_that_is_killed_while_it_proposes_ahead_comes_to_the_same():
    with quiet_optuna():
        whole, writes = session(Storage.in_memory(), {}, "front", meanwhile=Meanwhile())
        for at in range(3, writes + 1, 3):
            storage, scores = Storage.in_memory(), {}
            killed, _ = session(storage, scores, "front", at=at, after=at % 2 == 0, meanwhile=Meanwhile())
            records, _ = session(storage, scores, "front", meanwhile=Meanwhile())
            assert plain(records if killed is None else killed) == plain(whole), at


@pytest.mark.parametrize(
    ("sampler", "step"),
    [pytest.param("front", 3, marks=pytest.mark.slow), pytest.param("tpe", 1, marks=pytest.mark.slow), ("tpe", 70)],
)
def test_a_search_that_is_killed_at_a_write_comes_to_the_same(sampler, step):
    with quiet_optuna():
        whole, writes = session(Storage.in_memory(), {}, sampler)
        for at in range(step, writes + 1, step):
            storage, scores, records = Storage.in_memory(), {}, None
            # It is killed twice, then goes on.
            kills = [at, max(at // 2, 1)]
            while records is None:
                kill = kills.pop(0) if kills else 10**9
                records, _ = session(storage, scores, sampler, at=kill, after=at % 2 == 0)
            assert plain(records) == plain(whole), at
