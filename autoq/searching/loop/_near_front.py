"""Which models are worth training: those near the front, from which training has something to win back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from autoq.searching.front import objectives
from autoq.searching.records import Limits, TrialRecord, TrialState, evaluation_of, untuned

# Training of some minutes has won back 0.55 to 0.73 of the drop of convolutional nets that were cut and quantized: a
# model may have so many times the largest drop, and come within it.
REACH = 2.0
# Models whose cost differs by less than this share are one choice for a user: the more accurate one is trained.
_SAME_COST = 0.03


def near_front(records: Sequence[TrialRecord], limits: Limits, most: int) -> list[TrialRecord]:
    """The models that are worth training.

    With a limit of the drop, these are the cheapest models of at most twice that drop, since training wins back half;
    or the most accurate ones if there are none of these. Without a limit, they are spread evenly over the front.

    Args:
        records: All trials.
        limits: The limits of the search.
        most: Most models.
    """
    others = replace(limits, max_drop=None)
    found = [record for record in untuned(records) if _can_learn(record) and others.keep(evaluation_of(record))]
    steps = _apart([record for record in _staircase(found) if objectives(record)[0] > 0])
    largest = limits.max_drop
    if largest is not None:
        reached = [step for step in steps if objectives(step)[0] <= REACH * largest]
        return reached[:most] or steps[-most:]
    if len(steps) > most:
        return [steps[int(place)] for place in np.linspace(0, len(steps) - 1, most).round()]
    return steps


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
