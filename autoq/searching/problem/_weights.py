"""The weights of a search: their formats, and what they are multiplied by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import openvino as ov

from autoq.calibration import ModelInputs, SampleRun, activations_of, default_precision, kept_grams
from autoq.core import ModelError, WeightFormat
from autoq.graph import Weight, find_weights
from autoq.searching.space import SearchSpace
from autoq.transform import WeightBuilder, rounded_by_data, runs_compressed

Progress = Callable[[int, int], None]
# So many tokens tell what weights are multiplied by: 32 windows of 256.
_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class SearchedWeights:
    """The weights that a search compresses.

    Attributes:
        builder: Rounds them.
        choices: Formats that each one may take beside float, by its name.
    """

    builder: WeightBuilder
    choices: Mapping[str, Sequence[WeightFormat]]


def searched_weights(
    model: ov.Model,
    space: SearchSpace,
    run: SampleRun,
    *,
    stack: ExitStack,
    progress: Progress | None = None,
) -> SearchedWeights | None:
    """Finds the weights of a search, and runs the model once for what they are multiplied by.

    Args:
        model: The float model; never modified.
        space: The space of the search.
        run: What the model is run on, fewer samples if these have many tokens. Its folder keeps rounded weights and
            what was seen, which are in memory without it.
        stack: Keeps what was seen until it is closed.
        progress: Called with the numbers of samples done and of all samples.

    Returns:
        The weights; None if the space compresses none.

    Raises:
        ModelError: No weight takes any of the formats.
    """
    recipe = space.compression()
    if recipe is None:
        return None
    ignored = None if space.ignored_weights is None else space.ignored_weights.to_scope()
    weights = find_weights(model, ignored, all_layers=True).compressible
    activations = activations_of(model, weights)
    grams = None
    if run.inputs is not None and recipe.rounds_by_data:
        products = _products(weights, space.formats)
        known = [activations[weight.name] for weight in products if weight.name in activations]
        rounded = {one for activation in known for one in activation.each}
        grams = stack.enter_context(
            kept_grams(
                run.folder,
                model,
                rounded,
                run.inputs,
                products=rounded,
                subset_size=_enough(run.inputs, run.samples),
                precision=default_precision(),
                summarize=False,
                reset_state=run.reset_state,
                is_own=True,
                progress=progress,
            )
        )
    builder = WeightBuilder(model, weights, recipe, grams, activations, run.folder)
    return SearchedWeights(builder, _choices(builder, weights, space))


def _enough(inputs: ModelInputs, samples: int) -> int:
    """The number of the first samples that have enough tokens together; all of them if they hold no tokens."""
    tokens = 0
    for number in range(min(samples, len(inputs))):
        whole = [value.size for value in inputs[number].values() if np.issubdtype(value.dtype, np.integer)]
        tokens += max(whole, default=0)
        if tokens >= _TOKENS:
            return number + 1
    return samples


def _choices(
    builder: WeightBuilder, weights: Sequence[Weight], space: SearchSpace
) -> dict[str, tuple[WeightFormat, ...]]:
    """The formats of a space that each weight may take."""
    taken = builder.takers(space.formats)
    if space.allow_decompressed:
        return taken
    found = {
        weight.name: own
        for weight in weights
        if (own := tuple(form for form in taken.get(weight.name, ()) if runs_compressed(weight, form)))
    }
    if not found:
        msg = (
            f"{builder.no_taker(space.formats)} and that OpenVINO's CPU then holds compressed in memory: quantize it "
            "instead, with the space 'cnn' or 'transformer', or set allow_decompressed in the space to save disk alone."
        )
        raise ModelError(msg)
    return found


def _products(weights: Sequence[Weight], formats: Sequence[WeightFormat]) -> list[Weight]:
    return [weight for weight in weights if any(rounded_by_data(weight, form) for form in formats)]
