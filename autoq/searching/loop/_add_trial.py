"""Measurements that no sampler has proposed: a model beside the front, or another timing of a trial."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import openvino as ov

from autoq._stopping import held
from autoq.searching.loop._budget import Budget
from autoq.searching.loop._further import Further, What
from autoq.searching.loop._measuring import Measuring
from autoq.searching.loop._run import Keep, nothing_kept
from autoq.searching.problem import Problem
from autoq.searching.records import Part, TrialRecord, TrialState, evaluation_of
from autoq.searching.shown import ParetoFront, SearchObserver
from autoq.searching.study import Study


def add_trial(
    problem: Problem,
    study: Study,
    budget: Budget,
    observers: Sequence[SearchObserver],
    records: Sequence[TrialRecord],
    begun: TrialRecord,
    model: ov.Model | None = None,
    keep: Keep = nothing_kept,
) -> list[TrialRecord]:
    """Scores and times a model beside the front, and stores its record. No sampler learns of it.

    Args:
        problem: What is searched.
        study: Keeps the record.
        budget: What is acceptable.
        observers: Told of the record.
        records: All trials, with their scores.
        begun: What is known of the trial before it is measured; its number and what it comes to are given here.
        model: The model; None builds it by its plan.
        keep: Keeps the scores, before the record is stored.

    Returns:
        The trials with the new one, which says so if the build or the device fails.
    """
    # The results of an earlier closing session are now ordinary measurements.
    known = [replace(record, remeasured=False) for record in records]
    seconds: dict[str, float] = {}
    measuring = Measuring(problem, study, budget, known, ParetoFront(known))
    unknown = replace(
        begun, number=study.size, state=TrialState.FAILED, evaluation=None, feasible=False, error=None, remeasured=False
    )
    record = replace(measuring.candidate(unknown, model, seconds, _nothing_else), seconds=seconds)
    known.append(record)
    _store(record, study.add, budget, observers, known, keep)
    return known


def time_again(
    problem: Problem,
    study: Study,
    budget: Budget,
    observers: Sequence[SearchObserver],
    records: Sequence[TrialRecord],
    number: int,
    keep: Keep = nothing_kept,
) -> bool:
    """Times a trial in another compilation: of many costs, the lowest ones are low by chance too.

    Args:
        problem: What is searched.
        study: Keeps the record.
        budget: What is acceptable.
        observers: Told of the record.
        records: All trials, with their scores.
        number: Number of the trial.
        keep: Keeps the scores, before the record is stored.

    Returns:
        Whether it could be timed.
    """
    known = list(records)
    place = next(place for place, record in enumerate(known) if record.number == number)
    step = Further(known[place], What.TIMING, evaluation_of(known[place]).accuracy.n)
    record = Measuring(problem, study, budget, known, ParetoFront(known)).further(step)
    if record is None:
        return False
    known[place] = record
    _store(record, study.revise, budget, observers, known, keep)
    return True


def _store(
    record: TrialRecord,
    store: Callable[[TrialRecord], None],
    budget: Budget,
    observers: Sequence[SearchObserver],
    known: Sequence[TrialRecord],
    keep: Keep,
) -> None:
    """Stores a record, and tells the observers of it."""
    with held(), budget.clock.spent(Part.RECORD):
        keep(record)
        store(record)
    front = ParetoFront(known)
    with budget.clock.spent(Part.TRACK):
        for observer in observers:
            observer.on_trial(record, front)


def _nothing_else() -> None:
    """Nothing is prepared meanwhile."""
