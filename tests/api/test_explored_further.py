"""Trials go on in the time that is kept for trainings, where there is nothing to train."""

from types import SimpleNamespace

import pytest
from records import record

from autoq.api.searches import _explore
from autoq.api.searches._explore import explore_search
from autoq.searching.loop import Budget, Explored
from autoq.searching.problem import Clock
from autoq.searching.records import Limits

WHOLE_S, TUNING_S, AFTER_S, TRIAL_S = 100.0, 40.0, 10.0, 2.0


class Search:
    """A search whose trials take two seconds of a clock that stands still otherwise.

    Args:
        drops: Drop of each trial; the last one is that of all that follow.
        ends_after: Number of trials after which nothing more is expected.
        finetune: Whether models are trained after the trials.
    """

    def __init__(self, monkeypatch, drops, ends_after=1000, *, finetune=True):
        self.drops, self.ends_after, self.moment = drops, ends_after, 0.0
        self.records, self.stages = [], []
        clock = Clock(WHOLE_S, started=0.0, now=lambda: self.moment)
        tuning_s = TUNING_S if finetune else 0.0
        settings = SimpleNamespace(timeout_s=TUNING_S)
        request = SimpleNamespace(
            clock=clock, seed=0, finetune=SimpleNamespace(settings=settings, top=3) if finetune else None
        )
        audience = SimpleNamespace(
            on_start=lambda info, records: None, on_stage=lambda *stage: self.stages.append(stage[0])
        )
        self.budget = Budget(n_trials=None, clock=clock, ending_s=AFTER_S + tuning_s, limits=Limits(max_drop=0.02))
        self.prepared = SimpleNamespace(
            session=SimpleNamespace(
                request=request, audience=audience, keeper=SimpleNamespace(keep=None, attach=None), process=None
            ),
            study=SimpleNamespace(records=lambda: list(self.records), remember=lambda *kept: None),
            budget=self.budget,
            info=None,
            problem=SimpleNamespace(evaluator=SimpleNamespace(float_seconds=0.0)),
        )
        monkeypatch.setattr(_explore, "explore", self.explore)

    def explore(self, problem, study, budget, observers, **others):
        while budget.trials_s >= TRIAL_S and len(self.records) < self.ends_after:
            number = len(self.records)
            drop = self.drops[min(number, len(self.drops) - 1)]
            self.records.append(record(number, drop, 0.9 - 0.01 * number, seconds={"build": TRIAL_S}))
            self.moment += TRIAL_S
        budget.clock.shorten(f"there was time for {len(self.records)} trials.")
        return Explored(problem, None, interrupted=False)


@pytest.mark.parametrize(
    ("drops", "kept_s"),
    [
        ([0.01], TUNING_S),
        ([-0.01], 0.0),
        # The first model with a drop comes at the 26th trial, in the half of the time that trials have then.
        ([-0.01] * 25 + [0.01], TUNING_S / 2),
        ([-0.01] * 36 + [0.01], TUNING_S / 4),
    ],
)
def test_time_that_trainings_have_no_use_for_goes_to_trials(monkeypatch, drops, kept_s):
    search = Search(monkeypatch, drops)
    assert not explore_search(search.prepared).interrupted
    assert search.prepared.budget.clock.left_s == pytest.approx(AFTER_S + kept_s, abs=TRIAL_S)
    assert bool(search.stages) is (kept_s < TUNING_S)
    # Each time tells anew what there was no time for.
    assert search.budget.clock.shortened == [f"there was time for {len(search.records)} trials."]


def test_trials_that_had_time_left_do_not_go_on(monkeypatch):
    search = Search(monkeypatch, [-0.01], ends_after=10)
    explore_search(search.prepared)
    assert len(search.records) == 10
    assert not search.stages


def test_a_search_without_trainings_does_not_go_on(monkeypatch):
    search = Search(monkeypatch, [-0.01], finetune=False)
    explore_search(search.prepared)
    assert search.prepared.budget.clock.left_s == pytest.approx(AFTER_S, abs=TRIAL_S)
    assert not search.stages
