"""Labelled data that a search never sees, and the scores of its models on them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import openvino as ov

from autoq.core import ConfigError, DataError
from autoq.evaluation.scoring import Accuracy, ValidationSet, item_count
from autoq.searching.loop import why
from autoq.searching.problem import Clock, Problem, Stage
from autoq.searching.records import Part, TrialRecord, TrialState
from autoq.searching.shown import ParetoFront

# With fewer pairs, a fifth says little, and the search needs it itself.
LEAST_PAIRS = 1000
# Fewer scored items say nothing.
FEWEST_ITEMS = 32
# One pair of so many is held out.
ONE_OF = 5


def labelled(
    network: ov.Model, validation: Any, holdout: Any, *, own_function: bool, in_order: bool = False
) -> tuple[Any, Any]:  # whatever the user's function takes
    """The pairs that a search scores on, and the held-out pairs or None.

    1. A user's own function: it takes its items as they are. Only data given as `holdout` are held out.
    2. Data given as `holdout`: these are held out.
    3. `holdout=False`, fewer than 1,000 pairs, or pairs that are steps of one sequence: nothing is held out.
    4. Otherwise: a fifth of the pairs, one of each five in a row. The places depend on the number of pairs alone, so
       that a search goes on with the same pairs, whatever its seed.

    Raises:
        ConfigError: There are no labelled data.
        DataError: The data are not pairs, or do not fit the model; or a user's function gets data that can be read only
            once.
    """
    if validation is None:
        msg = "validation is missing: pass pairs of (inputs, target), or the items that `evaluate` scores."
        raise ConfigError(msg)
    if own_function:
        held_out = None if holdout is False else holdout
        for name, items in (("validation", validation), ("holdout", held_out)):
            if isinstance(items, Iterator):
                msg = f"{name} is a {type(items).__name__}, which can be read only once: pass a list of its items."
                raise DataError(msg)
        return validation, held_out
    pairs = ValidationSet.of(network, validation)
    if holdout is False or (holdout is None and (in_order or len(pairs) < LEAST_PAIRS)):
        return pairs, None
    if holdout is not None:
        return pairs, ValidationSet.of(network, holdout)
    return pairs.split(held_out_numbers(len(pairs)))


def held_out_numbers(count: int) -> Sequence[int]:
    """Numbers of the held-out pairs among `count`: a random one of each five in a row."""
    blocks = count // ONE_OF
    # Each five have a place of their own: data may repeat with any period.
    places = np.random.default_rng(count).integers(ONE_OF, size=blocks)
    return [int(number) for number in ONE_OF * np.arange(blocks) + places]


def scoring_seconds(records: Sequence[TrialRecord], samples: int, models: int) -> float:
    """Expected seconds to score models on samples, by the seconds of the trials; 0 without trials.

    In a closing session, models are scored on further samples, whose seconds belong to no trial.
    """
    rates = [
        record.seconds[Part.SCORE] / accuracy.n
        for record in records
        if record.state is TrialState.COMPLETE
        and record.evaluation is not None
        and not record.remeasured
        and (accuracy := record.evaluation.accuracy).n
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
    """Scores the steps of a front on the held-out data: the chosen one first, the others while there is time.

    Where there is no time to score the float model and the chosen one on all of the data, both are scored on a random
    part. A user's own function scores all of its data or none.

    Args:
        problem: The prepared search; its evaluator has the data.
        front: The front of the search.
        chosen: Member of the front; nothing is scored without one.
        held_out: The data.
        clock: The clock of the search.
        kept_s: Seconds kept for the steps after this one.
        stage: Told the progress.

    Returns:
        Accuracies by trial number. A model that cannot be scored ends the scoring, with a warning.
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
        clock.shorten(f"there was time to score models on {items:,} of {total:,} held-out samples.")
    records = [chosen, *(record for record in front.staircase if record.number != chosen.number)]
    for done, record in enumerate(records):
        if found and clock.left_s - kept_s < one_s * (items or total):
            break
        stage("scoring the front on held-out data", done, len(records))
        try:
            model = problem.build(record)
            choice = record.plan.runtime_choice
            found[record.number] = problem.evaluator.score_held_out(model, choice, items)
        except Exception as error:  # noqa: BLE001  # a device or a build may raise anything
            said = f"trial {record.number} could not be scored on held-out data: {why(error)}"
            warnings.warn(said, stacklevel=2)
            break
    return found


def held_out_items(total: int, one_s: float, seconds: float, *, divisible: bool) -> int | None:
    """How many held-out items two models can be scored on in some time.

    Args:
        total: Number of items; 0 where it is unknown.
        one_s: Seconds per item and model; 0 where they are unknown.
        seconds: Seconds left.
        divisible: Whether a part of the items may be scored.

    Returns:
        The number of items. None stands for all; 0 means that even a few take too long.
    """
    if 2 * total * one_s <= seconds:
        return None
    items = int(seconds / (2 * one_s)) if divisible and one_s and seconds > 0 else 0
    return items if items >= FEWEST_ITEMS else 0
