"""The trials of a search."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace

from autoq.api.searches._ended import SECONDS
from autoq.api.searches._prepare import PreparedSearch
from autoq.api.searches._shares import tuning_seconds
from autoq.searching.loop import Budget, Explored, explore, why, worth_training
from autoq.searching.records import Part, TrialRecord, untuned

# With fewer seconds for trainings, or a smaller share of those that were asked for, none are kept for them.
_LEAST_KEPT_S, _LEAST_KEPT = 5.0, 1 / 8
# Trials end where less time is left than the longest of this many before took, and what follows them may take.
_LATEST, _TRIALS = 4, 2


def explore_search(prepared: PreparedSearch) -> Explored:
    """Runs the trials of a search. If something ends them early, the trials so far count.

    Where none of them leaves a training something to win back, trials go on in half of the time that is kept for
    trainings, and again in half of the rest.

    Raises:
        KeyboardInterrupt: The user ended the search before its first trial.
        AutoqError: The device, or another part that the search needs, failed before the first trial.
    """
    session, study, said = prepared.session, prepared.study, list(prepared.budget.clock.shortened)
    explored = Explored(prepared.problem, None, interrupted=True)
    try:
        with session.request.clock.spent(Part.TRACK):
            session.audience.on_start(prepared.info, study.records())
        explored = _trials(prepared, prepared.budget)
        for budget in _further(prepared):
            if explored.interrupted:
                break
            session.audience.on_stage(
                "nothing is worth tuning yet: trials go on in a part of the time that is kept for it"
            )
            # What there was no time for may be made up for.
            budget.clock.shortened[:] = said
            again = _trials(prepared, budget)
            explored = replace(again, knowledge=again.knowledge or explored.knowledge)
    except (KeyboardInterrupt, Exception) as error:  # of any kind
        if not study.records():
            raise
        if not isinstance(error, KeyboardInterrupt):
            warnings.warn(f"the search ends early: {why(error)}", stacklevel=3)
        return replace(explored, interrupted=True)
    if explored.interrupted and not study.records():
        raise KeyboardInterrupt
    return explored


def _trials(prepared: PreparedSearch, budget: Budget) -> Explored:
    """Runs trials until a budget is spent."""
    session, study, clock = prepared.session, prepared.study, prepared.session.request.clock

    def keep(record: TrialRecord) -> None:
        session.keeper.keep(record)
        # A session that is killed has told what it spent until its last trial.
        study.remember(SECONDS, clock.spent_s)

    return explore(
        prepared.problem,
        study,
        budget,
        [session.audience],
        stage=session.audience.on_stage,
        attach=session.keeper.attach,
        seed=session.request.seed,
        keep=keep,
        meanwhile=None if session.process is None else session.meanwhile,
    )


def _further(prepared: PreparedSearch) -> Iterator[Budget]:
    """Budgets with less and less time kept for trainings, while time ends the trials and nothing is worth training."""
    request, budget = prepared.session.request, prepared.budget
    every_s = kept_s = tuning_seconds(request, prepared.problem)
    while kept_s and request.finetune is not None:
        records = prepared.study.records()
        if not _is_ended_by_time(prepared, records, replace(budget, ending_s=budget.ending_s - every_s + kept_s)):
            return
        if worth_training(records, budget.limits, request.finetune.top):
            return
        kept_s = kept_s / 2 if kept_s / 2 >= max(_LEAST_KEPT_S, _LEAST_KEPT * every_s) else 0.0
        yield replace(budget, ending_s=budget.ending_s - every_s + kept_s)


def _is_ended_by_time(prepared: PreparedSearch, records: Sequence[TrialRecord], budget: Budget) -> bool:
    """Whether it is the time that allows no further trial."""
    measured = untuned(records)
    if budget.n_trials is not None and len(measured) >= budget.n_trials:
        return False
    latest = [sum(record.seconds.values()) for record in measured[-_LATEST:]]
    return budget.trials_s <= _TRIALS * max([prepared.problem.evaluator.float_seconds, *latest])
