"""The loop: ask for a plan, build it, measure it, tell. It ends at the budget, at Ctrl-C, or without new plans."""

from __future__ import annotations

import logging
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import optuna

from autoq._stopping import check, held
from autoq.core import AutoqError, DeviceError, DeviceLostError, Estimate, named_reason, reason
from autoq.evaluation.candidate import Contest, Evaluation, Finalist
from autoq.evaluation.scoring import Outcome, telling_items
from autoq.searching.loop._clock import Clock
from autoq.searching.loop._costs import Costs, first_items
from autoq.searching.loop._further import Further, What, further
from autoq.searching.loop._problem import Problem
from autoq.searching.records import Limits, Part, TrialRecord, TrialState, evaluation_of
from autoq.searching.sampler import Prospects
from autoq.searching.shown import ParetoFront, SearchObserver
from autoq.searching.study import STORAGE_ERRORS, Study

logger = logging.getLogger(__name__)
# After so many proposals in a row whose models are already measured, the sampler has nothing new to offer.
_STALE_PROPOSALS = 100
# A trial probably takes no longer than the longest of this many trials before it.
_LATEST = 4
# A search ends when so many proposals in a row are expected to enlarge the hypervolume by no more than this share,
# beyond what measurements can tell.
_RESOLVED, _LEAST_GAIN = 8, 1e-3
_BEYOND = "beyond"
# Samples that tell candidates apart are known after so many candidates, and they are at most this share of all samples.
_FEWEST_SCREENED, _MOST_TELLING = 3, 0.25

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
        to_the_end: Whether trials go on although no further model is expected to be better by what can be measured.
        limits: Limits of an acceptable model.
    """

    n_trials: int | None
    clock: Clock = field(default_factory=Clock)
    limits: Limits = field(default_factory=Limits)
    ending_s: float = 0.0
    to_the_end: bool = True

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
    """Runs trials until the budget is spent, or until there is nothing to gain.

    A new candidate is scored on a part of the samples at first. Before each proposal, earlier candidates are scored on
    more samples or timed once more, as long as that is expected to improve the front more by second than the proposal.

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
    loop = _Loop(problem, study, budget, observers, keep, records)
    try:
        loop.go_on()
    except KeyboardInterrupt:
        return True
    except STORAGE_ERRORS as error:
        warnings.warn(f"the search ends early, since its study cannot be stored: {named_reason(error)}", stacklevel=2)
        return True
    return False


@dataclass(slots=True)
class _Loop:
    """The trials of one call of `run`.

    Attributes:
        problem: What is searched.
        study: Where trials are kept.
        budget: When to stop.
        observers: Told of every trial.
        keep: Keeps the scores of a trial.
        records: Records of all trials so far.
        waiting: A trial whose proposal waits until earlier candidates are measured further.
        fixed: Trials, by number, and what of them cannot be measured any better.
    """

    problem: Problem
    study: Study
    budget: Budget
    observers: Sequence[SearchObserver]
    keep: Keep
    records: list[TrialRecord]
    waiting: optuna.Trial | None = None
    fixed: set[tuple[int, What]] = field(default_factory=set)

    def go_on(self) -> None:
        """Runs trials until the budget is spent, or until there is nothing to gain."""
        again, stale = self.study.settle(self.budget.limits), self.study.stale
        now = self.budget.clock.now
        latest = deque([self.problem.evaluator.float_seconds], _LATEST)
        while not is_spent(self.records, self.budget, max(latest)) and stale < _STALE_PROPOSALS:
            check()
            started = now()
            seconds: dict[str, float] = {}
            with self.budget.clock.spent(Part.PROPOSE, seconds):
                trial, self.waiting = self.waiting or (again.pop(0) if again else self.study.ask()), None
            with _put_back(self.study, trial):
                with self.budget.clock.spent(Part.PROPOSE, seconds):
                    prospects = self.study.prospects(trial)
                if prospects is not None and (step := self._further(prospects)) is not None:
                    self._measure_further(step)
                    self.waiting = self.study.anew(trial)
                    continue
                if prospects is not None and self._is_resolved(trial, prospects):
                    self.waiting = trial
                    break
                record, twin = self._tried(trial, seconds)
            is_new = self._kept(trial, record, twin)
            stale = 0 if is_new else stale + 1
            if is_new:
                latest.append(now() - started)
        if self.waiting is not None:
            self.study.drop(self.waiting)

    @property
    def _samples(self) -> int:
        """Number of samples that models are scored on."""
        return self.problem.evaluator.float_accuracy.n

    def _further(self, prospects: Prospects) -> Further | None:
        """The further measurement of an earlier candidate that is worth more by second than the proposal."""
        return further(prospects, self.records, self._samples, self.fixed)

    def _tried(self, trial: optuna.Trial, seconds: dict[str, float]) -> tuple[TrialRecord, TrialRecord | None]:
        """The record of a proposal, whose model is measured unless another trial has measured it, and that trial's."""
        with self.budget.clock.spent(Part.PROPOSE, seconds):
            record = _proposed(self.problem, self.study, trial)
        twin = next((r for r in self._complete if r.fingerprint == record.fingerprint), None)
        if twin is None and record.error is None:
            record = self._measured(record, seconds)
        return replace(record, seconds=seconds), twin

    def _kept(self, trial: optuna.Trial, record: TrialRecord, twin: TrialRecord | None) -> bool:
        """Stores a trial and tells the observers of it; False if another trial had measured its model before."""
        if twin is not None:
            logger.debug("trial %d builds the model of trial %d again", trial.number, twin.number)
            with self.budget.clock.spent(Part.RECORD):
                self.study.finish_as(trial, twin, self.budget.limits)
            return False
        with held(), self.budget.clock.spent(Part.RECORD):
            self.keep(record)
            self.study.finish(trial, record, self.budget.limits)
            self.records.append(record)
            self._tell(record)
        return True

    @property
    def _complete(self) -> Iterator[TrialRecord]:
        return (record for record in self.records if record.state is TrialState.COMPLETE)

    def _measured(self, record: TrialRecord, seconds: dict[str, float]) -> TrialRecord:
        """Builds the proposed model, scores and times it; if one of these fails, the record says so.

        The seconds of each part are added to those of the trial.
        """
        try:
            with self.budget.clock.spent(Part.BUILD, seconds):
                model = self.problem.builder.build(record.plan)
            logger.debug("trial %d, %s, was built as %s", record.number, record.origin, record.fingerprint)
            items = self._samples
            if self.problem.space.sampler == "front":  # the other samplers know of no noise
                items = first_items(Costs.of(self.records), items, screened=self._is_screened)
            contest = self._contest(record, items, [] if record.is_baseline else ParetoFront(self.records))
            precision = record.plan.runtime_precision
            with self.budget.clock.spent(Part.SEND, seconds) as spell:
                evaluation, spell.told = self.problem.evaluator.evaluate(model, precision, contest)
        except DeviceLostError:
            raise
        except Exception as error:  # of any kind, OpenVINO's own and those of the user's code too
            logger.debug("trial %d failed", record.number, exc_info=True)
            return replace(record, error=why(error))
        return self._judged(replace(record, state=TrialState.COMPLETE), evaluation, seconds)

    def _measure_further(self, step: Further) -> None:
        """Scores an earlier candidate on more samples, or times it once more."""
        before, number = step.record, step.record.number
        rivals = [member for member in ParetoFront(self.records) if member.number != number]
        logger.debug("trial %d is measured further: %s", number, step.what)
        seconds: dict[str, float] = {}
        clock = self.budget.clock
        try:
            with self.study.attempt(f"trial {number} further") as may_try:
                if not may_try:
                    msg = "the process was killed in it four times"
                    raise DeviceError(msg)
                with clock.spent(Part.BUILD, seconds):
                    model = self.problem.builder.build(before.plan)
                with clock.spent(Part.SEND, seconds) as spell:
                    evaluation, spell.told = self.problem.evaluator.go_on(
                        Finalist(model, before.plan.runtime_precision, evaluation_of(before)),
                        self._contest(before, step.items, rivals),
                        retimed=step.what is What.TIMING,
                    )
        except DeviceLostError:
            raise
        except Exception as error:  # of any kind, as for a trial
            # What is known of it stays.
            logger.debug("trial %d cannot be measured further", number, exc_info=True)
            warnings.warn(f"trial {number} could not be measured further: {why(error)}", stacklevel=2)
            self.fixed |= {(number, what) for what in What}
            return
        if not _is_better_known(before, evaluation, step.what):
            self.fixed.add((number, step.what))
        both = {part: before.seconds.get(part, 0.0) + seconds.get(part, 0.0) for part in {**before.seconds, **seconds}}
        record = self._judged(replace(before, seconds=both), evaluation, seconds)
        with held(), clock.spent(Part.RECORD):
            self.keep(record)
            self.study.revise(record)
            self.records[self.records.index(before)] = record
            self._tell(record)

    def _contest(self, record: TrialRecord, items: int, rivals: Sequence[TrialRecord]) -> Contest:
        """The contest of a candidate on so many samples: first those that other candidates have shown to tell most."""
        most = min(items // 2, round(_MOST_TELLING * self._samples))
        census = np.empty(0, np.int64)
        if self._is_screened and items < self._samples:
            others = [r for r in self._complete if not r.is_baseline and r.number != record.number]
            scored = [evaluation_of(other).accuracy.scores for other in others]
            reference = self.problem.evaluator.float_accuracy.scores
            census = telling_items([scores for scores in scored if scores.size], reference, most)
        known = [rival.evaluation for rival in rivals if rival.evaluation is not None]
        return Contest(self.budget.max_drop, known, items, census, seed=record.number)

    @property
    def _is_screened(self) -> bool:
        """Whether enough quantized candidates were scored on all samples to know which samples tell."""
        found = [evaluation_of(record).accuracy for record in self._complete if not record.is_baseline]
        return sum(a.outcome is Outcome.FINISHED and a.scores.size > 0 for a in found) >= _FEWEST_SCREENED

    def _judged(self, record: TrialRecord, evaluation: Evaluation, seconds: Mapping[str, float]) -> TrialRecord:
        """A record with its evaluation."""
        drop, ratio = evaluation.accuracy.drop, evaluation.latency.ratio
        logger.debug("trial %d was measured: drop %s, latency ratio %s, %s", record.number, drop, ratio, seconds)
        return evaluated(record, evaluation, self.budget.limits)

    def _tell(self, record: TrialRecord) -> None:
        front = ParetoFront(self.records)
        with self.budget.clock.spent(Part.TRACK):
            for observer in self.observers:
                observer.on_trial(record, front)

    def _is_resolved(self, trial: optuna.Trial, prospects: Prospects) -> bool:
        """Whether nothing more is expected that measurements could tell from what was found."""
        if self.budget.to_the_end or all(record.is_baseline for record in ParetoFront(self.records).staircase):
            return False
        self.study.note(trial, _BEYOND, prospects.beyond)
        latest = list(islice(self.study.latest(_BEYOND), _RESOLVED))
        if len(latest) < _RESOLVED or any(value is None or value > _LEAST_GAIN for value in latest):
            return False
        self.budget.clock.shorten(
            "the search ended before its budget was spent: no further model is expected to differ from the best ones "
            "by more than measurements can tell."
        )
        return True


def _is_better_known(before: TrialRecord, after: Evaluation, what: What) -> bool:
    """Whether a further measurement has told anything."""
    known = evaluation_of(before)
    if what is What.TIMING:
        return after.latency.ratio.sd < known.latency.ratio.sd
    return after.accuracy.n > known.accuracy.n or after.accuracy.outcome is not known.accuracy.outcome


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
