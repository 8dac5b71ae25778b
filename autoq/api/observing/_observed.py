"""What the weights of a model are multiplied by, seen once over the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import openvino as ov

from autoq.calibration import Activation, Grams, ModelInputs, activations_of, default_precision, kept_grams
from autoq.core import Objective, ResetState
from autoq.graph import Weight
from autoq.report import progress_bar

# Samples that weights are rounded by, unless others are asked for.
SUBSET_SIZE = 128
# Blocks of more columns are not kept apart: the products of all columns are.
_MOST_COLUMNS = 256


@dataclass(frozen=True)
class SeenActivations:
    """Statistics of the activations of some weights.

    Attributes:
        grams: The statistics.
        activations: Activation by name of the weight.
    """

    grams: Grams = field(default_factory=lambda: Grams({}, {}, {}, {}))
    activations: Mapping[str, Activation] = field(default_factory=dict)


@contextmanager
def observed(
    network: ov.Model,
    weights: Sequence[Weight],
    rounded: Sequence[Weight],
    inputs: ModelInputs,
    subset_size: int,
    reset_state: ResetState,
    objective: Objective,
    *,
    columns: Mapping[str, int | None] | None = None,
    ranks: bool = False,
    cache: Path | None,
    progress: bool,
) -> Iterator[SeenActivations]:
    """Runs a model once over data.

    Args:
        network: The float model; never modified.
        weights: The weights whose activations are observed.
        rounded: Those of them that are rounded by data.
        inputs: The data.
        subset_size: Number of samples used.
        reset_state: When the state of the model is reset.
        objective: The data by which errors are judged.
        columns: By name of the weight that is rounded by data, the columns that stand together whose products are
            needed; None, or no entry, for those of all columns.
        ranks: Whether weights are ranked by what is seen, as NNCF does: samples are summarized, and the model computes
            in f32, as it does where the objective is NNCF's. Otherwise it computes as the device does by default.
        cache: Folder that keeps the statistics; None keeps nothing.
        progress: Whether a bar is shown.

    Yields:
        Statistics, which are gone at the end of the context.
    """
    activations = activations_of(network, weights)
    by_tokens = objective is Objective.TOKENS
    lengths: dict[Activation, set[int | None]] = {}
    for weight in rounded:
        if weight.name in activations:
            for one in activations[weight.name].each:
                lengths.setdefault(one, set()).add((columns or {}).get(weight.name))
    blocks = {}
    for one, some in lengths.items() if by_tokens else ():
        known = [length for length in some if length is not None]
        # A block holds those of all weights that read the activation, whose lengths divide its number of columns.
        if len(known) == len(some) and (block := math.lcm(*known)) <= _MOST_COLUMNS:
            blocks[one] = block
    if not activations:
        yield SeenActivations()
        return
    with (
        progress_bar("running the model", shown=progress) as step,
        kept_grams(
            cache,
            network,
            [*activations.values(), *lengths],
            inputs,
            products=[one for one in lengths if one not in blocks] if by_tokens else (),
            blocks=blocks,
            subset_size=subset_size,
            precision="f32" if ranks or not by_tokens else default_precision(),
            summarize=ranks,
            reset_state=reset_state,
            progress=step,
        ) as grams,
    ):
        yield SeenActivations(grams, activations)
