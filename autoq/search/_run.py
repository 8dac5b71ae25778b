"""The loop: ask for a plan, build it, measure it, tell; stop at the budget, at Ctrl-C, or when nothing new is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import optuna

from autoq.core import AutoqError, DeviceLostError, Estimate, QuantizationPlan
from autoq.evaluation import Contest, Evaluation
from autoq.search._front import ParetoFront
from autoq.search._limits import Limits
from autoq.search._observer import SearchObserver
from autoq.search._problem import Problem
from autoq.search._records import TrialRecord, TrialState
from autoq.search._study import Study

# So many proposals in a row that build a model already measured mean that the sampler has nothing new to offer.
_STALE_PROPOSALS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When to stop, and what is acceptable.

    Attributes:
        n_trials: Candidates measured, earlier sessions included; duplicates are free. None is no limit.
        deadline: Moment of `time.monotonic()`; a trial that would probably end after it is not begun. None is no limit.
        closing_s: Seconds before the deadline that are kept for the closing session.
        limits: What a model has to keep to be acceptable.
    """

    n_trials: int | None
    deadline: float | None
    limits: Limits = field(default_factory=Limits)
    closing_s: float = 0.0

    @property
    def max_drop(self) -> float | None:
        """Largest acceptable accuracy drop in the metric's unit; None accepts any."""
        return self.limits.max_drop


def run(
    problem: Problem,
    study: Study,
    budget: Budget,
    observers: Sequence[SearchObserver],
    earlier: Sequence[TrialRecord],
) -> bool:
    """Runs trials until the budget is spent.

    Args:
        problem: What is searched.
        study: Where trials are kept; its finished trials count towards the budget.
        budget: When to stop.
        observers: Told of every trial.
        earlier: Records of the study, with their scores where those were kept.

    Returns:
        Whether the user interrupted it.

    Raises:
        DeviceLostError: The device does not even take the float model any more.
    """
    # What an earlier session closed with is a measurement like any other now.
    records = [replace(record, remeasured=False) for record in earlier]
    measured = {r.fingerprint: r for r in records if r.state is TrialState.COMPLETE}
    again = study.settle()
    stale, last_seconds, front = 0, 0.0, ParetoFront(records)
    try:
        while not is_spent(records, budget, last_seconds) and stale < _STALE_PROPOSALS:
            started = time.monotonic()
            trial = again.pop(0) if again else study.ask()
            record = _run_trial(problem, study, trial, measured, budget, front)
            study.finish(trial, record, budget.limits)
            records.append(record)
            if record.state is TrialState.COMPLETE:
                measured[record.fingerprint] = record
            if record.state is TrialState.DUPLICATE:
                stale += 1
            else:
                stale, last_seconds = 0, time.monotonic() - started
            front = ParetoFront(records)
            for observer in observers:
                observer.on_trial(record, front)
    except KeyboardInterrupt:
        return True
    return False


def is_spent(records: Sequence[TrialRecord], budget: Budget, next_seconds: float = 0.0) -> bool:
    """Whether a budget has nothing left for a further trial that takes so long."""
    if budget.n_trials is not None and sum(r.state is not TrialState.DUPLICATE for r in records) >= budget.n_trials:
        return True
    if budget.deadline is None:
        return False
    return time.monotonic() + next_seconds + budget.closing_s > budget.deadline


def _run_trial(
    problem: Problem,
    study: Study,
    trial: optuna.Trial,
    measured: dict[str, TrialRecord],
    budget: Budget,
    front: ParetoFront,
) -> TrialRecord:
    """Builds and measures what a trial proposes, or takes over what is already known of the same model."""
    may_run = study.begin(trial)
    plan = problem.dimensions.suggest(trial)
    record = TrialRecord(
        number=trial.number,
        state=TrialState.FAILED,
        origin=trial.user_attrs.get("origin", problem.space.sampler),
        plan=plan,
        fingerprint="",
        hardware=problem.hardware,
    )
    if not may_run:
        return replace(record, error="its process ended while it ran, twice; it is not tried again.")
    try:
        started = time.perf_counter()
        record = replace(
            record,
            fingerprint=problem.builder.fingerprint(plan),
            quantized_sites=problem.builder.resolve(plan).quantized_sites,
        )
        if (twin := measured.get(record.fingerprint)) is not None:
            return replace(
                record,
                state=TrialState.DUPLICATE,
                evaluation=twin.evaluation,
                feasible=twin.feasible,
                duplicate_of=twin.number,
            )
        contest = Contest(budget.max_drop, [member.evaluation for member in front if member.evaluation is not None])
        evaluation, seconds = _measure(problem, plan, started, None if record.is_baseline else contest)
    except DeviceLostError:
        raise
    except AutoqError as error:
        return replace(record, error=str(error))
    return evaluated(replace(record, state=TrialState.COMPLETE, seconds=seconds), evaluation, budget.limits)


def _measure(
    problem: Problem, plan: QuantizationPlan, started: float, contest: Contest | None
) -> tuple[Evaluation, dict[str, float]]:
    model = problem.builder.build(plan)
    build_s = time.perf_counter() - started
    evaluation, seconds = problem.evaluator.evaluate(model, plan.recipe.runtime_precision, contest)
    return evaluation, {"build": build_s, **seconds}


def evaluated(record: TrialRecord, evaluation: Evaluation, limits: Limits) -> TrialRecord:
    """A record with its evaluation, and whether that keeps the limits."""
    if record.is_baseline:
        # The ratio of the baseline to itself is one by definition; what was measured is the timer's own error.
        latency = replace(evaluation.latency, ratio=Estimate(1.0, 1.0, 1.0))
        evaluation = replace(evaluation, latency=latency)
    return replace(record, evaluation=evaluation, feasible=limits.keep(evaluation))
