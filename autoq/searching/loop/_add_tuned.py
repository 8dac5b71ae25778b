"""A tuned model becomes a point of the search, beside the trial that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import openvino as ov

from autoq._stopping import held
from autoq.searching.loop._budget import Budget
from autoq.searching.loop._measuring import Measuring
from autoq.searching.loop._run import Keep, nothing_kept
from autoq.searching.problem import Problem
from autoq.searching.records import Part, TrialRecord, TrialState, Tuned
from autoq.searching.shown import ParetoFront, SearchObserver
from autoq.searching.study import Study


def add_tuned(
    problem: Problem,
    study: Study,
    budget: Budget,
    observers: Sequence[SearchObserver],
    records: Sequence[TrialRecord],
    model: ov.Model,
    tuned: Tuned,
    keep: Keep = nothing_kept,
) -> list[TrialRecord]:
    """Scores and times a tuned model beside the front, and stores its record. No sampler learns of it.

    Args:
        problem: What is searched.
        study: Keeps the record.
        budget: What is acceptable.
        observers: Told of the record.
        records: All trials, with their scores.
        model: The model.
        tuned: How it was made, and of which trial.
        keep: Keeps the scores, before the record is stored.

    Returns:
        The trials with the new one, which says so if the device refuses the model.
    """
    # The results of an earlier closing session are now ordinary measurements.
    known = [replace(record, remeasured=False) for record in records]
    origin = next(record for record in known if record.number == tuned.of)
    seconds: dict[str, float] = {}
    measuring = Measuring(problem, study, budget, known, ParetoFront(known))
    begun = replace(
        origin,
        number=study.size,
        state=TrialState.FAILED,
        origin="tuned",
        fingerprint=f"tuned/{tuned.model}",
        evaluation=None,
        feasible=False,
        error=None,
        tuned=tuned,
    )
    record = replace(measuring.candidate(begun, model, seconds, _nothing_else), seconds=seconds)
    with held(), budget.clock.spent(Part.RECORD):
        keep(record)
        study.add(record)
    known.append(record)
    front = ParetoFront(known)
    with budget.clock.spent(Part.TRACK):
        for observer in observers:
            observer.on_trial(record, front)
    return known


def _nothing_else() -> None:
    """Nothing is prepared meanwhile."""
