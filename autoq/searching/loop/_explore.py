"""All trials of a search. The model is probed between the first trials and the others."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from autoq.core import DeviceError, DeviceLostError
from autoq.evaluation.isolation import Meanwhile
from autoq.searching.loop._aside import Aside
from autoq.searching.loop._budget import Budget, is_spent
from autoq.searching.loop._default_precision import with_f32
from autoq.searching.loop._first_cuts import first_cuts
from autoq.searching.loop._front_in_turn import budget_before, repair_first_cut, repair_front
from autoq.searching.loop._level import likely_trials
from autoq.searching.loop._measuring import why
from autoq.searching.loop._proposals import first_plans
from autoq.searching.loop._refusals import refused_before, without_refused
from autoq.searching.loop._run import Keep, nothing_kept, run
from autoq.searching.loop._steer import steer
from autoq.searching.problem import Problem, Stage, learn, recall
from autoq.searching.records import Part, TrialRecord, untuned
from autoq.searching.sensitivity import Knowledge
from autoq.searching.shown import SearchObserver
from autoq.searching.study import Study

# Share of the time for trials in which forward passes probe the model.
_PROBING_SHARE = 0.2
# A further trial probably takes no longer than the longest of this many before it.
_LATEST = 4


@dataclass(frozen=True, slots=True)
class Explored:
    """How the trials of a search went.

    Attributes:
        problem: The problem at the end; f32 may have become a choice for float layers.
        knowledge: Results of probing the model; None if the search ended before that.
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
    keep: Keep = nothing_kept,
    meanwhile: Meanwhile | None = None,
) -> Explored:
    """Runs trials until the budget is spent.

    The float model and the model in int8 come first, before the model is probed: one of them may satisfy the user. Some
    models whose groups of channels keep one share follow, where channels may go, the first of them also repaired in
    turn. If the float model breaks the budget at the device's default precision, float layers are proposed in f32 from
    then on.

    Args:
        problem: What is searched.
        study: Where trials are kept.
        budget: When to stop.
        observers: Told of every trial.
        stage: Told what happens.
        attach: Gives records of earlier trials their scores back.
        seed: Seed of the sampler.
        keep: Keeps the scores of a trial, before its record is stored.
        meanwhile: Proposes and builds the next candidate while one is measured in another process; None does not.

    Raises:
        DeviceLostError: The device does not even take the float model any more.
    """

    def trials(searched: Problem, allowed: Budget) -> bool:
        return run(searched, study, allowed, observers, attach(study.records()), keep, meanwhile)

    problem, interrupted = _begun(refused_before(problem, study), study, budget, trials, stage)
    if not interrupted and not _is_over(problem, study, budget):
        reach = budget_before(problem, budget, study.records(closed=False)).reach
        interrupted = first_cuts(problem, study, replace(budget, reach=reach), trials)
    if interrupted or not problem.dimensions.units or _is_over(problem, study, budget):
        return Explored(problem, recall(problem, study), interrupted)
    left_s = _seconds_left(problem, study, budget)
    aside = Aside(problem, study, budget, observers, keep)
    try:
        repair_first_cut(aside, attach)
        with study.attempt("probing") as may_probe:
            if not may_probe:
                msg = "the process was killed four times while it went on"
                raise DeviceError(msg)
            with budget.clock.spent(Part.SENSITIVITIES):
                knowledge = learn(problem, study, stage, seconds=_PROBING_SHARE * left_s, clock=budget.clock)
        with budget.clock.spent(Part.PROPOSE):
            before = budget_before(problem, budget, study.records(closed=False))
            steer(problem, study, before, knowledge, seed)
    except KeyboardInterrupt:
        return Explored(problem, None, interrupted=True)
    except DeviceLostError:
        raise
    except Exception as error:  # noqa: BLE001  # of any kind that a device or a build has
        warnings.warn(f"trials begin without knowing the model, since probing it failed: {why(error)}", stacklevel=3)
        return Explored(problem, None, trials(problem, budget))
    interrupted = trials(problem, before)
    if interrupted or before is budget:
        return Explored(problem, knowledge, interrupted)
    try:
        repair_front(aside, attach)
    except KeyboardInterrupt:
        return Explored(problem, knowledge, interrupted=True)
    # What these models leave of the budget is for others, if it suffices for another one.
    latest = [sum(record.seconds.values()) for record in study.records()[-_LATEST:]]
    is_over = is_spent(study.records(), budget, max(latest, default=0.0))
    return Explored(problem, knowledge, interrupted=not is_over and trials(problem, budget))


def _begun(
    problem: Problem, study: Study, budget: Budget, trials: Callable[[Problem, Budget], bool], stage: Stage
) -> tuple[Problem, bool]:
    """Measures float and int8. If the device refuses int8, the refused groups stay in float.

    Returns:
        The problem without the refused groups, and whether the user interrupted it.
    """
    for allowed in _ends(problem, study, budget):
        if trials(problem, allowed):
            return problem, True
    problem = with_f32(problem, study.records(closed=False), budget.limits)
    if _is_over(problem, study, budget):
        return problem, False
    with study.attempt("refusals") as may_ask:
        taken = without_refused(problem, study, budget.clock, stage) if may_ask else problem
    if taken is problem or not taken.groups:
        return taken, False
    study.enqueue(taken.dimensions.parameters(taken.whole(taken.space.default_recipe())), "int8")
    return taken, trials(taken, replace(budget, n_trials=len(untuned(study.records())) + 1))


def _is_over(problem: Problem, study: Study, budget: Budget) -> bool:
    """Whether the budget allows no further trial."""
    return is_spent(study.records(), budget, problem.evaluator.float_seconds if budget.clock.is_limited else 0.0)


def _ends(problem: Problem, study: Study, budget: Budget) -> Iterator[Budget]:
    """Enqueues the model in int8 and the float model, and gives the budget of each.

    The model in int8 comes first: it is what a user waits for. If the time is limited, it is measured even if
    preparation took all of the time, unless the float model alone took more.
    """
    ends = list(first_plans(problem.dimensions, [problem.space.default_recipe()]))[::-1]
    clock, most = budget.clock, math.inf if budget.n_trials is None else budget.n_trials
    for origin, plan in ends:
        study.enqueue(problem.dimensions.parameters(plan), origin)
    if clock.is_limited and (clock.left_s > 0 or problem.evaluator.float_seconds < clock.seconds):
        yield replace(budget, n_trials=1, clock=replace(clock, seconds=math.inf))
    yield replace(budget, n_trials=int(min(len(ends), most)))


def _seconds_left(problem: Problem, study: Study, budget: Budget) -> float:
    """Approximate seconds that are left for trials."""
    candidate_s = problem.evaluator.float_seconds
    left = None if budget.n_trials is None else budget.n_trials - len(untuned(study.records()))
    return likely_trials(left, budget.trials_s, candidate_s) * candidate_s
