"""The sensitivity of weights: a report as of quantized units."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import openvino as ov

from autoq.api.sensitivities._of_parts import MeasuredPart, report_of_parts
from autoq.api.sensitivities._sensitivity_report import SensitivityReport
from autoq.calibration import ModelInputs, activations_of, kept_grams
from autoq.core import (
    CompressionRecipe,
    DistortionMeasure,
    PlanError,
    ResetState,
    Rounding,
    WeightFormat,
    made_folder,
    quoted,
)
from autoq.evaluation.candidate import ModelRunner
from autoq.graph import IgnoredScope, find_weights
from autoq.searching.sensitivity import measure_weight_sensitivities
from autoq.transform import WeightBuilder


def parsed_formats(words: Sequence[str]) -> tuple[WeightFormat, ...]:
    """Formats as a user writes them, each once.

    Raises:
        PlanError: A word is no format.
    """
    if not isinstance(words, str | Sequence):
        msg = f"weight_formats is {quoted(words)}: it must be a list of formats, such as ['int4_sym g64', 'int8_asym']."
        raise PlanError(msg)
    return tuple(dict.fromkeys(WeightFormat.parse(word) for word in ([words] if isinstance(words, str) else words)))


def report_of_weights(
    network: ov.Model,
    inputs: ModelInputs,
    formats: Sequence[WeightFormat],
    *,
    scope: IgnoredScope | None,
    measure: DistortionMeasure,
    samples: int,
    runner: ModelRunner,
    reset_state: ResetState,
    cache: Path | None,
    progress: Callable[[int, int], None],
) -> SensitivityReport:
    """Measures how much each weight distorts the outputs when it is rounded, each by itself.

    Args:
        network: The float model; never modified.
        inputs: Calibration inputs.
        formats: The format that is measured, and further ones, whose distortion follows from the errors of the layer.
        scope: Operations whose weights stay in float.
        measure: Measure of the distortion.
        samples: Number of inputs that are run.
        runner: Runs models in f32.
        reset_state: When the state of the model is reset.
        cache: Folder that keeps the statistics of activations and the rounded weights; None keeps nothing.
        progress: Told of the samples that the model was run on.

    Raises:
        ModelError: No weight takes the formats.
    """
    weights = find_weights(network, scope, all_layers=True).compressible
    activations = activations_of(network, weights)
    products = set(activations.values())
    recipe = CompressionRecipe(format=formats[0], rounding=Rounding.NEAREST)
    with kept_grams(
        None if cache is None else made_folder(cache, "cache"),
        network,
        products,
        inputs,
        products=products,
        subset_size=samples,
        reset_state=reset_state,
        progress=progress,
    ) as grams:
        builder = WeightBuilder(network, weights, recipe, grams, activations, cache)
        taken = builder.takers(formats)
        found = measure_weight_sensitivities(
            builder, network, taken, inputs=inputs, evaluator=runner, measure=measure, samples=samples
        )
    by_name = {weight.name: weight for weight in weights}
    parts = {
        name: MeasuredPart(
            ops=tuple(op for op, _ in by_name[name].readers), types=(by_name[name].type,), distortions=found.alone[name]
        )
        for name in taken
    }
    return report_of_parts(parts, whole=found.whole, inferences=found.inferences, measure=measure, scope=scope)
