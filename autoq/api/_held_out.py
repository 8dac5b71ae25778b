"""Labelled data that a search never sees, and what the models that it found score on them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import openvino as ov

from autoq.core import ConfigError, DataError
from autoq.evaluation import Accuracy, Outcome, ValidationSet
from autoq.search import ParetoFront, Problem, Stage, TrialRecord, TrialState, why

# With fewer pairs, a fifth says little, and the search misses it.
LEAST_PAIRS = 1000
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
    problem: Problem, front: ParetoFront, chosen: TrialRecord | None, deadline: float | None, stage: Stage
) -> dict[int, Accuracy]:
    """Scores the models of a front on the held-out data: the chosen one in any case, the others while there is time.

    Args:
        problem: Whose evaluator has the data.
        front: Of the search.
        chosen: Member of the front; nothing is scored without one.
        deadline: Moment of `time.monotonic()`; None is no limit.
        stage: Told what happens.

    Returns:
        Accuracies by trial number. A model that cannot be scored ends it, with a warning.
    """
    found: dict[int, Accuracy] = {}
    if chosen is None:
        return found
    records = [chosen, *(record for record in front if record.number != chosen.number)]
    for done, record in enumerate(records):
        if found and deadline is not None and time.monotonic() > deadline:
            break
        stage("scoring the front on held-out data", done, len(records))
        try:
            model = problem.builder.build(record.plan)
            found[record.number] = problem.evaluator.score_held_out(model, record.plan.recipe.runtime_precision)
        except Exception as error:  # noqa: BLE001  # of any kind that a device or a build has
            said = f"trial {record.number} could not be scored on held-out data: {why(error)}"
            warnings.warn(said, stacklevel=2)
            break
    return found
