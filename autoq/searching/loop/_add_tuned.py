"""A tuned model becomes a point of the search, beside the trial that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import openvino as ov

from autoq.searching.loop._add_trial import add_trial
from autoq.searching.loop._budget import Budget
from autoq.searching.loop._run import Keep, nothing_kept
from autoq.searching.problem import Problem
from autoq.searching.records import TrialRecord, Tuned
from autoq.searching.shown import SearchObserver
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
    origin = next(record for record in records if record.number == tuned.of)
    begun = replace(origin, origin="tuned", fingerprint=f"tuned/{tuned.model}", tuned=tuned)
    return add_trial(problem, study, budget, observers, records, begun, model, keep)
