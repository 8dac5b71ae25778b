"""The loop: ask for a plan, build it, measure it, tell. It ends at the budget, at Ctrl-C, or without new plans."""

from __future__ import annotations

import logging
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import optuna

from autoq._stopping import check, held
from autoq.core import AutoqError, DeviceLostError, Estimate, named_reason, reason
from autoq.evaluation.candidate import Contest, Evaluation
from autoq.searching.loop._clock import Clock
from autoq.searching.loop._problem import Problem
from autoq.searching.records import Limits, Part, TrialRecord, TrialState
from autoq.searching.shown import ParetoFront, SearchObserver
from autoq.searching.study import STORAGE_ERRORS, Study

logger = logging.getLogger(__name__)
# After so many proposals in a row whose models are already measured, the sampler has nothing new to offer.
_STALE_PROPOSALS = 100
# A trial probably takes no longer than the longest of this many trials before it.
_LATEST = 4

Keep = Callable[[TrialRecord], None]


def nothing_kept(_: TrialRecord) -> None:
    """Nobody keeps scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When to stop, and what is acceptable.

    Attributes:
        n_trials: Candidates measured, earlier sessions included. None is no limit.
        clock: Clock of the search. A trial that would probably end too late is not begun.
        ending_s: Seconds at the end that are kept for what follows the trials.
        limits: Limits of an acceptable model.
    """

    n_trials: int | None
    clock: Clock = field(default_factory=Clock)
    limits: Limits = field(default_factory=Limits)
    ending_s: float = 0.0

    @property
    def trials_s(self) -> float:
        """Seconds that are left for trials; infinite without a limit."""
        return self.clock.left_s - self.ending_s

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
    keep: Keep = nothing_kept,
) -> bool:
    """Runs trials until the budget is spent.

    Args:
        problem: What is searched.
        study: Where trials are kept; its finished trials count towards the budget.
        budget: When to stop.
        observers: Told of every trial.
        earlier: Records of the study, with their scores if these were kept.
        keep: Keeps the scores of a trial. It is called before the record is stored, so that no record lacks its scores.

    Returns:
        Whether it ended early: the user interrupted it, or the study could no longer be stored.

    Raises:
        DeviceLostError: The device does not even take the float model any more.
    """
    # The results of an earlier closing session are now ordinary measurements.
    records = [replace(record, remeasured=False) for record in earlier]
    measured = {r.fingerprint: r for r in records if r.state is TrialState.COMPLETE}
    again = study.settle(budget.limits)
    stale, front = study.stale, ParetoFront(records)
    clock, now = budget.clock, budget.clock.now
    latest = deque([problem.evaluator.float_seconds], _LATEST)
    try:
        while not is_spent(records, budget, max(latest)) and stale < _STALE_PROPOSALS:
            check()
            started = now()
            seconds: dict[str, float] = {}
            with clock.spent(Part.PROPOSE, seconds):
                trial = again.pop(0) if again else study.ask()
            with _put_back(study, trial):
                with clock.spent(Part.PROPOSE, seconds):
                    record = _proposed(problem, study, trial)
                twin = measured.get(record.fingerprint)
                if twin is None and record.error is None:
                    record = _measured(problem, record, budget, front, seconds)
                record = replace(record, seconds=seconds)
            if twin is not None:
                logger.debug("trial %d builds the model of trial %d again", trial.number, twin.number)
                with clock.spent(Part.RECORD):
                    study.finish_as(trial, twin, budget.limits)
                stale += 1
                continue
            with held(), clock.spent(Part.RECORD):
                keep(record)
                study.finish(trial, record, budget.limits)
                records.append(record)
                if record.state is TrialState.COMPLETE:
                    measured[record.fingerprint] = record
                front = ParetoFront(records)
                with clock.spent(Part.TRACK):
                    for observer in observers:
                        observer.on_trial(record, front)
            stale = 0
            latest.append(now() - started)
    except KeyboardInterrupt:
        return True
    except STORAGE_ERRORS as error:
        warnings.warn(f"the search ends early, since its study cannot be stored: {named_reason(error)}", stacklevel=2)
        return True
    return False


@contextmanager
def _put_back(study: Study, trial: optuna.Trial) -> Iterator[None]:
    """Puts a trial back that is interrupted, or whose device is lost: it is run again as if it had not begun."""
    try:
        yield
    except BaseException:
        study.put_back(trial)
        raise


def is_spent(records: Sequence[TrialRecord], budget: Budget, next_seconds: float = 0.0) -> bool:
    """Whether a budget allows no further trial that takes so long."""
    if budget.n_trials is not None and len(records) >= budget.n_trials:
        return True
    return budget.trials_s < next_seconds


def _proposed(problem: Problem, study: Study, trial: optuna.Trial) -> TrialRecord:
    """The record of a proposal and of the model that it builds; with an error if it is not to be measured."""
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
        error = (
            "the process of the search was killed four times while it worked on this model, which is not tried again."
        )
        warnings.warn(f"trial {record.number}, from {record.origin!r}, is given up: {error}", stacklevel=3)
        return replace(record, error=error)
    try:
        fingerprint, sites = problem.builder.fingerprint(plan), problem.builder.resolve(plan).quantized_sites
    except Exception as error:  # noqa: BLE001  # of any kind: another plan may do
        return replace(record, error=why(error))
    return replace(record, fingerprint=fingerprint, quantized_sites=sites)


def _measured(
    problem: Problem, record: TrialRecord, budget: Budget, front: ParetoFront, seconds: dict[str, float]
) -> TrialRecord:
    """Builds the proposed model, scores and times it; if one of these fails, the record says so.

    The seconds of each part are added to those of the trial.
    """
    contest = Contest(budget.max_drop, [member.evaluation for member in front if member.evaluation is not None])
    try:
        with budget.clock.spent(Part.BUILD, seconds):
            model = problem.builder.build(record.plan)
        logger.debug("trial %d, %s, was built as %s", record.number, record.origin, record.fingerprint)
        with budget.clock.spent(Part.SEND, seconds) as spell:
            evaluation, spell.told = problem.evaluator.evaluate(
                model, record.plan.runtime_precision, None if record.is_baseline else contest
            )
    except DeviceLostError:
        raise
    except Exception as error:  # of any kind, OpenVINO's own and those of the user's code too
        logger.debug("trial %d failed", record.number, exc_info=True)
        return replace(record, error=why(error))
    record = replace(record, state=TrialState.COMPLETE)
    drop, ratio = evaluation.accuracy.drop, evaluation.latency.ratio
    logger.debug("trial %d was measured: drop %s, latency ratio %s, %s", record.number, drop, ratio, seconds)
    return evaluated(record, evaluation, budget.limits)


def why(error: Exception) -> str:
    """The message of an error, with its type if it is none of autoq's own."""
    return reason(error) if isinstance(error, AutoqError) else named_reason(error)


def evaluated(record: TrialRecord, evaluation: Evaluation, limits: Limits) -> TrialRecord:
    """A record with its evaluation, and whether that keeps the limits."""
    if record.is_baseline:
        # The ratio of the baseline to itself is one by definition. The measured ratio is the timer's own error.
        latency = replace(evaluation.latency, ratio=Estimate(1.0, 1.0, 1.0))
        evaluation = replace(evaluation, latency=latency)
    return replace(record, evaluation=evaluation, feasible=limits.keep(evaluation))
