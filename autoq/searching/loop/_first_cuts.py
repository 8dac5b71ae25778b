"""The first models without some of their channels, before the model is probed: all groups keep the same share.

Probing widths takes a while, and what it tells is inexact. A short search has pruned models all the same, and every
search has some whose drop and time are measured when its first plans are predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from autoq.searching.loop._budget import Budget
from autoq.searching.loop._proposals import CUT, cut_wholes
from autoq.searching.problem import Problem
from autoq.searching.records import TrialRecord, TrialState, evaluation_of, untuned
from autoq.searching.study import Study

# Largest share of the trials and of their time for these models, and most of them.
_SHARE = 0.15
_MOST = 3


def first_cuts(problem: Problem, study: Study, budget: Budget, trials: Callable[[Problem, Budget], bool]) -> bool:
    """Measures models in which all groups keep one share, the largest share first.

    Smaller shares follow while their drop is within reach. The other units are as in the better one of the float model
    and the usual one.

    Args:
        problem: What is searched.
        study: Has the trials of both.
        budget: When to stop.
        trials: Runs the enqueued trials under a budget, and gives whether the user interrupted them.

    Returns:
        Whether the user interrupted it.
    """
    if not problem.dimensions.left_alone:
        return False
    plans = cut_wholes(problem.dimensions, problem.space.default_recipe(), bases(problem, study)[:1])
    most = _MOST if budget.n_trials is None else min(int(_SHARE * budget.n_trials), _MOST)
    for origin, plan in [*plans][:most]:
        records = study.records(closed=False)
        known = next((record for record in records if record.plan == plan), None)
        if known is None:
            if not _is_time(problem, records, budget):
                return False
            study.enqueue(problem.dimensions.parameters(plan), origin)
            if trials(problem, replace(budget, n_trials=len(untuned(records)) + 1)):
                return True
            known = next((record for record in study.records(closed=False) if record.plan == plan), None)
        if known is None or not _is_within_reach(known, budget):
            return False
    return False


def _is_time(problem: Problem, records: list[TrialRecord], budget: Budget) -> bool:
    """Whether one more of these models would probably keep their share of the time."""
    cut_s = [sum(record.seconds.values()) for record in records if record.origin == CUT]
    next_s = max([problem.evaluator.float_seconds, *cut_s])
    return sum(cut_s) + next_s <= _SHARE * (budget.trials_s + sum(cut_s))


def _is_within_reach(record: TrialRecord, budget: Budget) -> bool:
    """Whether a smaller share may be worth its trial before more is known."""
    if record.state is not TrialState.COMPLETE:
        return False
    return budget.worth_drop is None or evaluation_of(record).accuracy.drop.value <= budget.worth_drop


def bases(problem: Problem, study: Study) -> list[Mapping[str, str]]:
    """Which of the float model and the usual one was better: what is cut alike is cut in this one.

    Both, the usual one first, where one of them was not measured.

    Args:
        problem: What is searched.
        study: Has the trials of both.
    """
    usual, nothing = problem.dimensions.usual, dict[str, str]()
    recipe = problem.space.default_recipe()
    plans = [problem.whole(recipe), problem.dimensions.plan_of({}, recipe)]
    told = {r.plan: r for r in untuned(study.records(closed=False)) if r.state is TrialState.COMPLETE}
    if any(plan not in told for plan in plans):
        return [usual, nothing]
    cost, of_float = (evaluation_of(told[plan]).cost.value for plan in plans)
    return [usual] if told[plans[0]].feasible and cost < of_float else [nothing]
