"""The loop: ask for a plan, build it, measure it, tell. It ends at the budget, at Ctrl-C, or without new plans."""

from __future__ import annotations

import logging
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

import optuna

from autoq._stopping import check, held
from autoq.core import Against, named_reason
from autoq.evaluation.isolation import Meanwhile
from autoq.searching.loop._ahead import Ahead, Proposed
from autoq.searching.loop._budget import Budget, is_spent
from autoq.searching.loop._costs import finishing_s
from autoq.searching.loop._further import Further, further
from autoq.searching.loop._measuring import Measuring, why
from autoq.searching.problem import Problem
from autoq.searching.records import Part, TrialRecord, TrialState, untuned
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
# Against size, the closing session may have this share of a search's time for the scores that the front lacks.
_MOST_FINISHING = 1 / 3

Keep = Callable[[TrialRecord], None]


def nothing_kept(_: TrialRecord) -> None:
    """Nobody keeps scores."""


def run(
    problem: Problem,
    study: Study,
    budget: Budget,
    observers: Sequence[SearchObserver],
    earlier: Sequence[TrialRecord],
    keep: Keep = nothing_kept,
    meanwhile: Meanwhile | None = None,
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
        meanwhile: Proposes and builds the next candidate while one is measured in another process; None does not.

    Returns:
        Whether it ended early: the user interrupted it, or the study could no longer be stored.

    Raises:
        DeviceLostError: The device does not even take the float model any more.
    """
    # The results of an earlier closing session are now ordinary measurements.
    records = [replace(record, remeasured=False) for record in earlier]
    loop = _Loop(
        problem,
        study,
        budget,
        observers,
        keep,
        records,
        Measuring(problem, study, budget, records, ParetoFront(records)),
        Ahead(problem, study, meanwhile if problem.space.sampler == "front" else None),
    )
    try:
        loop.go_on()
    except KeyboardInterrupt:
        return True
    except STORAGE_ERRORS as error:
        warnings.warn(f"the search ends early, since its study cannot be stored: {named_reason(error)}", stacklevel=2)
        return True
    finally:
        loop.ahead.wait()
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
        measuring: Measures their models.
        ahead: Proposes and builds the next candidate meanwhile.
        waiting: A trial whose proposal waits until earlier candidates are measured further.
        again: Trials that a killed session left running.
    """

    problem: Problem
    study: Study
    budget: Budget
    observers: Sequence[SearchObserver]
    keep: Keep
    records: list[TrialRecord]
    measuring: Measuring
    ahead: Ahead
    waiting: optuna.Trial | None = None
    again: list[optuna.Trial] = field(default_factory=list)

    def go_on(self) -> None:
        """Runs trials until the budget is spent, or until there is nothing to gain."""
        self.again, stale = self.study.settle(self.budget.limits), self.study.stale
        now = self.budget.clock.now
        latest = deque([self.problem.evaluator.float_seconds], _LATEST)
        while not is_spent(self.records, self.budget, max(latest) + self._finishing_s()) and stale < _STALE_PROPOSALS:
            check()
            started = now()
            seconds: dict[str, float] = {}
            with self.budget.clock.spent(Part.PROPOSE, seconds):
                proposed = self._proposal()
            trial, prospects = proposed.trial, proposed.prospects
            with _put_back(self.study, trial):
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
        if (last := self.ahead.take()) is not None:
            self.waiting = last.trial
        if self.waiting is not None:
            self.study.drop(self.waiting)

    def _proposal(self) -> Proposed:
        """What was proposed while the candidate before was measured; otherwise it is proposed now."""
        if (proposed := self.ahead.take()) is not None:
            return proposed
        trial, self.waiting = self.waiting or self._next(), None
        with _put_back(self.study, trial):
            return Proposed.of(self.study, trial)

    def _finishing_s(self) -> float:
        """Seconds that the closing session needs beside its share to score all steps of the front completely.

        Against size, whole parts of the front would lack otherwise: nothing but samples separates its steps.
        """
        if self.problem.against is Against.LATENCY:
            return 0.0
        steps = self.measuring.front.staircase
        needed = sum(finishing_s(record, self.measuring.samples) for record in steps)
        return max(min(needed, self.budget.clock.part(_MOST_FINISHING)) - self.budget.closing_s, 0.0)

    def _next(self) -> optuna.Trial:
        """The next trial."""
        return self.again.pop(0) if self.again else self.study.ask()

    def _begin_next(self) -> None:
        """Begins with the next candidate, unless the one that is measured is the last."""
        most = self.budget.n_trials
        if most is None or len(untuned(self.records)) + 1 < most:
            self.ahead.begin(self._next)

    def _further(self, prospects: Prospects) -> Further | None:
        """The further measurement of an earlier candidate that is worth more by second than the proposal."""
        return further(prospects, self.records, self.measuring.samples, self.measuring.fixed)

    def _tried(self, trial: optuna.Trial, seconds: dict[str, float]) -> tuple[TrialRecord, TrialRecord | None]:
        """The record of a proposal, whose model is measured unless another trial has measured it, and that trial's."""
        with self.budget.clock.spent(Part.PROPOSE, seconds):
            record = _proposed(self.problem, self.study, trial)
        twin = next((r for r in self.measuring.complete if r.fingerprint == record.fingerprint), None)
        if twin is None and record.error is None:
            model = self.ahead.model(record.fingerprint)
            record = self.measuring.candidate(record, model, seconds, self._begin_next)
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

    def _measure_further(self, step: Further) -> None:
        """Measures an earlier candidate further, and stores and tells what is known of it then."""
        record = self.measuring.further(step)
        if record is None:
            return
        with held(), self.budget.clock.spent(Part.RECORD):
            self.keep(record)
            self.study.revise(record)
            self.records[self.records.index(step.record)] = record
            self._tell(record)

    def _tell(self, record: TrialRecord) -> None:
        front = self.measuring.front = ParetoFront(self.records)
        with self.budget.clock.spent(Part.TRACK):
            for observer in self.observers:
                observer.on_trial(record, front)

    def _is_resolved(self, trial: optuna.Trial, prospects: Prospects) -> bool:
        """Whether nothing more is expected that measurements could tell from what was found."""
        if self.budget.to_the_end or all(record.is_baseline for record in self.measuring.front.staircase):
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


@contextmanager
def _put_back(study: Study, trial: optuna.Trial) -> Iterator[None]:
    """Puts a trial back that is interrupted, or whose device is lost: it is run again as if it had not begun."""
    try:
        yield
    except BaseException:
        study.put_back(trial)
        raise


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
