"""All trials of a search, and what is found out between the first ones and the others."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from autoq.core import DeviceLostError
from autoq.search._default_precision import with_f32
from autoq.search._knowledge import Knowledge
from autoq.search._learn import learn, recall
from autoq.search._level import likely_trials
from autoq.search._observer import SearchObserver
from autoq.search._problem import Problem, Stage
from autoq.search._proposals import first_plans
from autoq.search._records import TrialRecord
from autoq.search._run import Budget, is_spent, run, why
from autoq.search._steer import steer
from autoq.search._study import Study

# Of the time that trials would take, the share in which forward passes find out what is known beforehand.
_PROBING_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Explored:
    """How the trials of a search went.

    Attributes:
        problem: What was searched in the end: f32 may have joined what is left in float can run in.
        knowledge: What was found out beforehand; None where the search ended before that.
        interrupted: Whether the user ended it.
    """

    problem: Problem
    knowledge: Knowledge | None
    interrupted: bool


def explore(
    problem: Problem,
    study: Study,
    budget: Budget,
    observers: Sequence[SearchObserver],
    *,
    stage: Stage,
    attach: Callable[[Iterable[TrialRecord]], Sequence[TrialRecord]],
    seed: int,
) -> Explored:
    """Runs trials until the budget is spent.

    The float model and the model in int8 come first: whoever is content with one of them knows it before anything else
    is found out. Where the float model breaks the budget at the device's default precision, what is left in float is
    proposed in f32 from then on.

    Args:
        problem: What is searched.
        study: Where trials are kept.
        budget: When to stop.
        observers: Told of every trial.
        stage: Told what is found out.
        attach: Gives records of earlier trials their scores back.
        seed: Of the sampler.

    Raises:
        DeviceLostError: The device does not even take the float model any more.
    """

    def trials(allowed: Budget) -> bool:
        return run(problem, study, allowed, observers, attach(study.records()))

    ends = list(first_plans(problem.groups, [problem.space.default_recipe()]))
    for origin, plan in ends:
        study.enqueue(problem.dimensions.parameters(plan), origin)
    first = len(ends) if budget.n_trials is None else min(len(ends), budget.n_trials)
    if trials(replace(budget, n_trials=first)):
        return Explored(problem, recall(problem, study), interrupted=True)
    problem = with_f32(problem, study.records(), budget.limits)
    if is_spent(study.records(), budget):
        return Explored(problem, recall(problem, study), interrupted=False)
    try:
        knowledge = learn(problem, study, stage, seconds=_PROBING_SHARE * _seconds_left(problem, study, budget))
        steer(problem, study, budget, knowledge, seed)
    except KeyboardInterrupt:
        return Explored(problem, None, interrupted=True)
    except DeviceLostError:
        raise
    except Exception as error:  # noqa: BLE001  # of any kind that a device or a build has
        warnings.warn(f"trials begin without knowing the model, since probing it failed: {why(error)}", stacklevel=3)
        return Explored(problem, None, trials(budget))
    return Explored(problem, knowledge, trials(budget))


def _seconds_left(problem: Problem, study: Study, budget: Budget) -> float:
    """For trials, about."""
    candidate_s = problem.evaluator.float_seconds
    left_s = None if budget.deadline is None else budget.deadline - budget.closing_s - time.monotonic()
    left = None if budget.n_trials is None else budget.n_trials - len(study.records())
    return likely_trials(left, left_s, candidate_s) * candidate_s
