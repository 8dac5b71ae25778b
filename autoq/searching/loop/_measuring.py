"""Measures candidates: on the samples that tell, beside their rivals, and further where that is asked for."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import openvino as ov

from autoq.core import AutoqError, DeviceError, DeviceLostError, Estimate, named_reason, reason
from autoq.evaluation.candidate import Contest, Evaluation, Finalist
from autoq.evaluation.scoring import Outcome, telling_items
from autoq.searching.loop._budget import Budget
from autoq.searching.loop._costs import Costs, first_items
from autoq.searching.loop._further import Further, What
from autoq.searching.problem import Problem
from autoq.searching.records import Limits, Part, TrialRecord, TrialState, evaluation_of
from autoq.searching.shown import ParetoFront
from autoq.searching.study import Study

logger = logging.getLogger(__name__)
# Samples that tell candidates apart are known after so many candidates, and they are at most this share of all samples.
_FEWEST_SCREENED, _MOST_TELLING = 3, 0.25


@dataclass(slots=True)
class Measuring:
    """Measures the candidates of a search.

    Attributes:
        problem: What is searched.
        study: Counts attempts, in case a candidate kills the process.
        budget: What is acceptable, and the clock.
        records: Records of all trials so far, with their scores; shared with the loop, which adds to them.
        front: The front of these records; the loop renews it with them.
        fixed: Trials, by number, and what of them cannot be measured any better.
    """

    problem: Problem
    study: Study
    budget: Budget
    records: list[TrialRecord]
    front: ParetoFront
    fixed: set[tuple[int, What]] = field(default_factory=set)

    @property
    def samples(self) -> int:
        """Number of samples that models are scored on."""
        return self.problem.evaluator.float_accuracy.n

    @property
    def complete(self) -> Iterator[TrialRecord]:
        """Records of the trials that were measured."""
        return (record for record in self.records if record.state is TrialState.COMPLETE)

    def candidate(
        self, record: TrialRecord, model: ov.Model | None, seconds: dict[str, float], sending: Callable[[], None]
    ) -> TrialRecord:
        """Builds the proposed model, scores and times it; if one of these fails, the record says so.

        Args:
            record: Record of the proposal.
            model: The model, if it is built already.
            seconds: The seconds of each part are added to these.
            sending: Called when the model is built, before it is measured.
        """
        try:
            with self.budget.clock.spent(Part.BUILD, seconds):
                model = self.problem.build(record) if model is None else model
            sending()
            logger.debug("trial %d, %s, was built as %s", record.number, record.origin, record.fingerprint)
            items = self.samples
            if self.problem.space.sampler == "front":  # the other samplers know of no noise
                costs, left_s = Costs.of(self.records), self.budget.trials_s
                items = first_items(costs, items, screened=self._is_screened, left_s=left_s)
            contest = self._contest(record, items, [] if record.is_baseline else self.front)
            choice = record.plan.runtime_choice
            with self.study.measuring(record.fingerprint), self.budget.clock.spent(Part.SEND, seconds) as spell:
                evaluation, spell.told = self.problem.evaluator.evaluate(model, choice, contest)
        except DeviceLostError:
            raise
        except Exception as error:  # of any kind, OpenVINO's own and those of the user's code too
            logger.debug("trial %d failed", record.number, exc_info=True)
            return replace(record, error=why(error))
        return self._judged(replace(record, state=TrialState.COMPLETE), evaluation, seconds)

    def further(self, step: Further) -> TrialRecord | None:
        """Scores an earlier candidate on more samples, or times it once more; None if that fails."""
        before, number = step.record, step.record.number
        # As in a trial, nothing rivals the float model: it is what others are compared with.
        rivals = [] if before.is_baseline else [member for member in self.front if member.number != number]
        logger.debug("trial %d is measured further: %s", number, step.what)
        seconds: dict[str, float] = {}
        try:
            with self.study.attempt(f"trial {number} further") as may_try:
                if not may_try:
                    msg = "the process was killed in it four times"
                    raise DeviceError(msg)
                with self.budget.clock.spent(Part.BUILD, seconds):
                    model = self.problem.build(before)
                with self.budget.clock.spent(Part.SEND, seconds) as spell:
                    evaluation, spell.told = self.problem.evaluator.go_on(
                        Finalist(model, before.plan.runtime_choice, evaluation_of(before)),
                        self._contest(before, step.items, rivals),
                        retimed=step.what is What.TIMING,
                    )
        except DeviceLostError:
            raise
        except Exception as error:  # of any kind, as for a trial
            # What is known of it stays.
            logger.debug("trial %d cannot be measured further", number, exc_info=True)
            warnings.warn(f"trial {number} could not be measured further: {why(error)}", stacklevel=3)
            self.fixed |= {(number, what) for what in What}
            return None
        if not _is_better_known(before, evaluation, step.what):
            self.fixed.add((number, step.what))
        both = {part: before.seconds.get(part, 0.0) + seconds.get(part, 0.0) for part in {**before.seconds, **seconds}}
        return self._judged(replace(before, seconds=both), evaluation, seconds)

    def _contest(self, record: TrialRecord, items: int, rivals: Sequence[TrialRecord]) -> Contest:
        """The contest of a candidate on so many samples: first those that other candidates have shown to tell most."""
        most = min(items // 2, round(_MOST_TELLING * self.samples))
        census = np.empty(0, np.int64)
        if self._is_screened and items < self.samples:
            others = [r for r in self.complete if not r.is_baseline and r.number != record.number]
            scored = [evaluation_of(other).accuracy.scores for other in others]
            reference = self.problem.evaluator.float_accuracy.scores
            census = telling_items([scores for scores in scored if scores.size], reference, most)
        known = [rival.evaluation for rival in rivals if rival.evaluation is not None]
        return Contest(self.budget.worth_drop, known, items, census, seed=record.number)

    @property
    def _is_screened(self) -> bool:
        """Whether enough quantized candidates were scored on all samples to know which samples tell."""
        found = [evaluation_of(record).accuracy for record in self.complete if not record.is_baseline]
        return sum(a.outcome is Outcome.FINISHED and a.scores.size > 0 for a in found) >= _FEWEST_SCREENED

    def _judged(self, record: TrialRecord, evaluation: Evaluation, seconds: Mapping[str, float]) -> TrialRecord:
        """A record with its evaluation."""
        drop, ratio = evaluation.accuracy.drop, evaluation.latency.ratio
        logger.debug("trial %d was measured: drop %s, latency ratio %s, %s", record.number, drop, ratio, seconds)
        return evaluated(record, evaluation, self.budget.limits)


def _is_better_known(before: TrialRecord, after: Evaluation, what: What) -> bool:
    """Whether a further measurement has told anything."""
    known = evaluation_of(before)
    if what is What.TIMING:
        return after.latency.ratio.sd < known.latency.ratio.sd
    return after.accuracy.n > known.accuracy.n or after.accuracy.outcome is not known.accuracy.outcome


def why(error: Exception) -> str:
    """The message of an error, with its type if it is none of autoq's own."""
    return reason(error) if isinstance(error, AutoqError) else named_reason(error)


def evaluated(record: TrialRecord, evaluation: Evaluation, limits: Limits) -> TrialRecord:
    """A record with its evaluation, and whether that keeps the limits."""
    if record.is_baseline:
        # The ratio of the baseline to itself is one by definition. The measured ratio is the timer's own error.
        one, first = Estimate(1.0, 1.0, 1.0), evaluation.latency.first_token
        first = None if first is None else replace(first, ratio=one)
        latency = replace(evaluation.latency, ratio=one, first_token=first)
        evaluation = replace(evaluation, latency=latency)
    return replace(record, evaluation=evaluation, feasible=limits.keep(evaluation))
