"""From a plan and data to its model: quantizers, compressed weights, or both."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import openvino as ov

from autoq.api.observing._observed import SUBSET_SIZE, SeenActivations, observed
from autoq.api.quantizing._calibrated import calibrate, calibration_inputs, device_at_hand, needed
from autoq.api.quantizing._settings import Settings
from autoq.calibration import Needs, Statistics
from autoq.core import Plan
from autoq.graph import find_weights
from autoq.report import progress_bar
from autoq.transform import ChannelScales, Products, WeightBuilder, learned_formats, rounded_by_data


def build_plan(
    network: ov.Model,
    plan: Plan,
    data: Any,  # whatever as_inputs takes
    settings: Settings,
    *,
    statistics: Statistics | None = None,
    seen_samples: int = SUBSET_SIZE,
    fold_weights: bool = True,
    strict: bool = False,
    progress: bool,
) -> ov.Model:
    """Builds a plan with a part that quantizes, and perhaps one that compresses weights.

    Args:
        network: The float model; never modified.
        plan: The plan.
        data: Model inputs; may be None where `statistics` are given and no weight is rounded by data.
        settings: How quantizers are placed. The recipe of the plan counts.
        statistics: Statistics collected earlier, for the quantizers.
        seen_samples: Number of samples that weights are rounded by.
        fold_weights: See `CandidateBuilder.build`.
        strict: See `Calibrated.accepted`.
        progress: Show bars on a terminal.

    Returns:
        A new model. Groups that its device refuses stay in float.

    Raises:
        ModelError: There is nothing to quantize, or a weight cannot be compressed.
        DataError: Data are missing, or do not fit the model.
        DeviceError: The device does not run the float model, or, with `strict`, the result.
        PlanError: The plan names something that does not exist.
    """
    settings = replace(settings, recipe=plan.quantization.recipe)
    learns = plan.compresses and any(form.is_learned for form in plan.compression.formats.values())
    rounds = plan.compresses and (plan.compression.recipe.rounds_by_data or (learns and data is not None))
    if plan.compresses:
        # What cannot be built is found before the data are read.
        WeightBuilder(network, find_weights(network).every, plan.compression.recipe).formats(Plan.of(plan.compression))
    inputs = None
    if data is not None or statistics is None:
        inputs = calibration_inputs(network, data, settings, again=rounds)
    with ExitStack() as stack:
        with progress_bar("collecting calibration statistics", shown=progress) as step:
            needs = Needs.of(plan.quantization.recipes)
            calibrated = calibrate(network, inputs, settings, statistics=statistics, needs=needs, progress=step)
        if plan.compresses:
            weights, part, model = find_weights(calibrated.model).every, plan.compression, calibrated.model
            seen = SeenActivations()
            if rounds:
                taking = [weight for weight in weights if weight.name in part.formats]
                rounded = [weight for weight in taking if rounded_by_data(weight, part.formats[weight.name])]
                resets, objective = settings.reset_state, part.recipe.objective
                feeds = needed(inputs, f"rounding {str(part.recipe.rounding)!r}")
                seen = stack.enter_context(
                    observed(
                        model,
                        rounded,
                        rounded,
                        feeds,
                        seen_samples,
                        resets,
                        objective,
                        ranks=part.recipe.ranks_by_data,
                        cache=settings.cache,
                        progress=progress,
                    )
                )
            if learns:
                formats = learned_formats(
                    model,
                    weights,
                    part.formats,
                    Products(seen.grams),
                    seen.activations,
                    ChannelScales(),
                    across_blocks=part.recipe.across_blocks,
                )
                plan = plan.having(replace(part, formats=formats))
            builder = WeightBuilder(model, weights, part.recipe, seen.grams, seen.activations)
            calibrated = replace(calibrated, weights=builder)
        device = device_at_hand(settings.target_device)
        if device is None:
            return calibrated.build(plan, fold_weights=fold_weights)
        return calibrated.accepted(plan, device, fold_weights=fold_weights, strict=strict).model
