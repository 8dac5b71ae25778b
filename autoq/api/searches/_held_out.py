"""Labelled data that a search never sees, and what the models that it found score on them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import openvino as ov

from autoq.core import ConfigError, DataError
from autoq.evaluation.scoring import Accuracy, Outcome, ValidationSet, item_count
from autoq.searching.loop import Clock, Problem, Stage, why
from autoq.searching.records import TrialRecord, TrialState
from autoq.searching.shown import ParetoFront

# With fewer pairs, a fifth says little, and the search misses it.
LEAST_PAIRS = 1000
# Fewer scored items say nothing.
FEWEST_ITEMS = 32
# One pair of so many is held out.
ONE_OF = 5


def labelled(
    network: ov.Model, validation: Any, holdout: Any, *, own_function: bool, in_order: bool = False
) -> tuple[Any, Any]:  # whatever the user's function takes
    """What a search scores on, and what is held out: pairs or None.

    1. A user's own function takes its items as they are, of the search and those to hold out; nothing is held out that
       was not given.
    2. Data to hold out were given.
    3. `holdout=False`, fewer than 1,000 pairs, or pairs that are steps of one sequence: nothing is held out.
    4. Else a fifth of the pairs is: one of each five in a row, at a place that depends on their number alone, so that a
       search goes on with the same pairs, whatever its seed.

    Raises:
        ConfigError: There are no labelled data.
        DataError: They do not consist of pairs, or do not fit the model; or a user's function would find them used up.
    """
    if validation is None:
        msg = "validation is missing: pass pairs of (inputs, target), or the items that `evaluate` scores."
        raise ConfigError(msg)
    if own_function:
        held_out = None if holdout is False else holdout
        for name, items in (("validation", validation), ("holdout", held_out)):
            if isinstance(items, Iterator):
                msg = f"{name} is a {type(items).__name__}, which can be read once only: pass a list of its items."
                raise DataError(msg)
        return validation, held_out
    pairs = ValidationSet.of(network, validation)
    if holdout is False or (holdout is None and (in_order or len(pairs) < LEAST_PAIRS)):
        return pairs, None
    if holdout is not None:
        return pairs, ValidationSet.of(network, holdout)
    return pairs.split(held_out_numbers(len(pairs)))


def held_out_numbers(count: int) -> Sequence[int]:
    """Numbers of the pairs that are held out of so many: one of each five in a row, at random."""
    blocks = count // ONE_OF
    # A place that is drawn anew for each five: data may repeat with any period.
    places = np.random.default_rng(count).integers(ONE_OF, size=blocks)
    return [int(number) for number in ONE_OF * np.arange(blocks) + places]


def scoring_seconds(records: Sequence[TrialRecord], samples: int, models: int) -> float:
    """Seconds that scoring so many models on so many samples will probably take, as trials were; 0 without any."""
    rates = [
        record.seconds["accuracy"] / accuracy.n
        for record in records
        if record.state is TrialState.COMPLETE
        and record.evaluation is not None
        and (accuracy := record.evaluation.accuracy).outcome is Outcome.FINISHED
        and accuracy.n
    ]
    return models * samples * float(np.median(rates)) if rates else 0.0


def score_front(
    problem: Problem,
    front: ParetoFront,
    chosen: TrialRecord | None,
    held_out: Any,  # whatever the user's function takes, or pairs
    clock: Clock,
    kept_s: float,
    stage: Stage,
) -> dict[int, Accuracy]:
    """Scores the models of a front on the held-out data: the chosen one first, the others while there is time.

    Where there is not the time to score the float model and the chosen one on all of the data, they are scored on a
    part, drawn at random; data of a user's own function are all or nothing.

    Args:
        problem: Whose evaluator has the data.
        front: Of the search.
        chosen: Member of the front; nothing is scored without one.
        held_out: The data.
        clock: Of the search.
        kept_s: Seconds that are kept for what comes afterwards.
        stage: Told what happens.

    Returns:
        Accuracies by trial number. A model that cannot be scored ends it, with a warning.
    """
    found: dict[int, Accuracy] = {}
    if chosen is None:
        return found
    total, one_s = item_count(held_out), scoring_seconds(front.records, 1, 1)
    left_s = clock.left_s - kept_s
    items = held_out_items(total, one_s, left_s, divisible=isinstance(held_out, ValidationSet))
    if items == 0:
        clock.shorten("there was no time to score the chosen model on the held-out data.")
        return found
    if items is not None:
        clock.shorten(f"models are scored on {items:,} of {total:,} held-out samples, for which there was time.")
    records = [chosen, *(record for record in front if record.number != chosen.number)]
    for done, record in enumerate(records):
        if found and clock.left_s - kept_s < one_s * (items or total):
            break
        stage("scoring the front on held-out data", done, len(records))
        try:
            model = problem.builder.build(record.plan)
            precision = record.plan.runtime_precision
            found[record.number] = problem.evaluator.score_held_out(model, precision, items)
        except Exception as error:  # noqa: BLE001  # of any kind that a device or a build has
            said = f"trial {record.number} could not be scored on held-out data: {why(error)}"
            warnings.warn(said, stacklevel=2)
            break
    return found


def held_out_items(total: int, one_s: float, seconds: float, *, divisible: bool) -> int | None:
    """On how many held-out items two models can be scored in some time.

    Args:
        total: How many there are; 0 where nobody can tell.
        one_s: Seconds by item and model; 0 where that is not known.
        seconds: That there are.
        divisible: Whether they may be scored in part.

    Returns:
        None is all, and 0 that even a few take too long.
    """
    if 2 * total * one_s <= seconds:
        return None
    items = int(seconds / (2 * one_s)) if divisible and one_s and seconds > 0 else 0
    return items if items >= FEWEST_ITEMS else 0
