"""Measurements that no sampler has proposed, and that none learns of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import openvino as ov

from autoq._stopping import held
from autoq.searching.loop._budget import Budget
from autoq.searching.loop._further import Further, What
from autoq.searching.loop._measuring import Measuring
from autoq.searching.loop._run import Keep, nothing_kept
from autoq.searching.problem import Problem
from autoq.searching.records import Part, TrialRecord, TrialState, Tuned, evaluation_of
from autoq.searching.shown import ParetoFront, SearchObserver
from autoq.searching.study import Study


@dataclass(frozen=True, slots=True)
class Aside:
    """Measures models beside the front, and stores their records.

    Attributes:
        problem: What is searched.
        study: Keeps the records.
        budget: What is acceptable.
        observers: Told of each record.
        keep: Keeps the scores of a trial, before its record is stored.
    """

    problem: Problem
    study: Study
    budget: Budget
    observers: Sequence[SearchObserver]
    keep: Keep = nothing_kept

    def add(
        self, records: Sequence[TrialRecord], begun: TrialRecord, model: ov.Model | None = None
    ) -> list[TrialRecord]:
        """Makes a trial of a model, which is scored and timed.

        Args:
            records: All trials, with their scores.
            begun: What is known of the trial before it is measured; its number and what it comes to are given here.
            model: The model; None builds it by its plan.

        Returns:
            The trials with the new one, which says so if the build or the device fails.
        """
        # The results of an earlier closing session are now ordinary measurements.
        known = [replace(record, remeasured=False) for record in records]
        seconds: dict[str, float] = {}
        unknown = replace(
            begun,
            number=self.study.size,
            state=TrialState.FAILED,
            evaluation=None,
            feasible=False,
            error=None,
            remeasured=False,
        )
        record = replace(
            self._measuring(known).candidate(unknown, model, seconds, _nothing_else),
            seconds=seconds,
        )
        known.append(record)
        self._store(record, self.study.add, known)
        return known

    def add_tuned(self, records: Sequence[TrialRecord], model: ov.Model, tuned: Tuned) -> list[TrialRecord]:
        """Makes a trial of a tuned model, beside the trial that it was made of; as `add` does.

        Args:
            records: All trials, with their scores.
            model: The model.
            tuned: How it was made, and of which trial.
        """
        origin = next(record for record in records if record.number == tuned.of)
        begun = replace(origin, origin="tuned", fingerprint=f"tuned/{tuned.model}", tuned=tuned)
        return self.add(records, begun, model)

    def time_again(self, records: Sequence[TrialRecord], number: int) -> bool:
        """Times a trial in another compilation: of many costs, the lowest ones are low by chance too.

        Args:
            records: All trials, with their scores.
            number: Number of the trial.

        Returns:
            Whether it could be timed.
        """
        known = list(records)
        place = next(place for place, record in enumerate(known) if record.number == number)
        step = Further(known[place], What.TIMING, evaluation_of(known[place]).accuracy.n)
        record = self._measuring(known).further(step)
        if record is None:
            return False
        known[place] = record
        self._store(record, self.study.revise, known)
        return True

    def _measuring(self, known: list[TrialRecord]) -> Measuring:
        return Measuring(self.problem, self.study, self.budget, known, ParetoFront(known))

    def _store(self, record: TrialRecord, store: Callable[[TrialRecord], None], known: Sequence[TrialRecord]) -> None:
        """Stores a record, and tells the observers of it."""
        with held(), self.budget.clock.spent(Part.RECORD):
            self.keep(record)
            store(record)
        front = ParetoFront(known)
        with self.budget.clock.spent(Part.TRACK):
            for observer in self.observers:
                observer.on_trial(record, front)


def _nothing_else() -> None:
    """Nothing is prepared meanwhile."""
