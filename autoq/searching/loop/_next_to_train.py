"""Which models are worth training: those near the front, from which training has something to win back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autoq.searching.front import objectives
from autoq.searching.loop._share_left import share_left_of
from autoq.searching.records import Limits, TrialRecord, TrialState, evaluation_of, untuned

# Training of some minutes has won back 0.34 to 0.73 of the drop of convolutional nets that were cut and quantized: a
# model may have so many times the largest drop, and come within it.
REACH = 2.0
# Models whose cost differs by less than this share are one choice for a user: the more accurate one is trained.
_SAME_COST = 0.03


def worth_training(records: Sequence[TrialRecord], limits: Limits, most: int) -> int:
    """The number of models that are worth training, at most so many.

    Args:
        records: All trials.
        limits: The limits of the search.
        most: Most models.
    """
    steps = _steps(records, limits)
    if limits.max_drop is None:
        return min(most, len(steps))
    within = [step for step in steps if objectives(step)[0] <= REACH * limits.max_drop]
    return min(most, len(within) or len(steps))


def next_to_train(
    records: Sequence[TrialRecord], limits: Limits, most: int, trained: Sequence[int]
) -> TrialRecord | None:
    """The model that is trained next.

    With a limit of the drop, this is the cheapest model that training is expected to bring within it: half of a drop is
    expected to be left at first, and what the trainings so far have left of theirs counts as much as that. Where there
    is none, it is the most accurate one. Without a limit, models are spread evenly over the front.

    Args:
        records: All trials, and the tuned models.
        limits: The limits of the search.
        most: Number of models that are trained in all.
        trained: Numbers of those that were trained, also where they became no better.

    Returns:
        Its record; None if all were trained.
    """
    steps = _steps(records, limits)
    waiting = [step for step in steps if step.number not in trained]
    if limits.max_drop is None:
        places = np.linspace(0, len(steps) - 1, min(most, len(steps))).round()
        return next((steps[int(place)] for place in places if steps[int(place)] in waiting), None)
    left = _share_left(records, limits.max_drop, trained)
    within = [step for step in waiting if left * objectives(step)[0] <= limits.max_drop]
    return next(iter(within or waiting[::-1]), None)


def _share_left(records: Sequence[TrialRecord], largest: float, trained: Sequence[int]) -> float:
    """Share of a drop that training is expected to leave."""
    drops = {record.number: objectives(record)[0] for record in records if record.state is TrialState.COMPLETE}
    became = {record.tuned.of: record.number for record in records if record.tuned is not None}
    pairs = [(drops[number], drops.get(became.get(number, number), drops[number])) for number in trained]
    return share_left_of(pairs, 1 / REACH, largest)


def _steps(records: Sequence[TrialRecord], limits: Limits) -> list[TrialRecord]:
    """The models that lose something, can learn, and are within the limits but for the drop; the cheapest first."""
    others = replace(limits, max_drop=None)
    found = [record for record in untuned(records) if _can_learn(record) and others.keep(evaluation_of(record))]
    return _apart([record for record in _staircase(found) if objectives(record)[0] > 0])


def _can_learn(record: TrialRecord) -> bool:
    """Whether the model was measured and differs from the float one by more than how it is run."""
    changed = record.quantized_sites or record.plan.compresses or record.plan.prunes
    return record.state is TrialState.COMPLETE and not record.is_baseline and bool(changed)


def _staircase(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The records that no other one beats by its point estimates, cheapest first; the limits do not count."""
    steps: list[TrialRecord] = []
    for record in sorted(records, key=lambda record: (objectives(record)[1], objectives(record)[0])):
        if not steps or objectives(record)[0] < objectives(steps[-1])[0]:
            steps.append(record)
    return steps


def _apart(steps: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Of steps that cost about the same, the most accurate one."""
    found: list[TrialRecord] = []
    first = -np.inf
    for step in steps:
        cost = objectives(step)[1]
        if cost <= (1 + _SAME_COST) * first:
            found[-1] = step
        else:
            found.append(step)
            first = cost
    return found
