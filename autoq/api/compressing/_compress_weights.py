"""`autoq.compress_weights`, with NNCF's parameters and their meaning."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from enum import Enum
from typing import Any

import openvino as ov
from threadpoolctl import threadpool_limits

from autoq.api.compressing._decompressed import warn_of_decompressed
from autoq.api.compressing._settings import check_data, read_recipe
from autoq.api.compressing._untaken import backed_up, untaken
from autoq.api.observing._observed import SUBSET_SIZE, SeenActivations, observed
from autoq.api.quantizing._planned import build_plan
from autoq.api.quantizing._settings import Settings
from autoq.calibration import as_inputs
from autoq.core import (
    CompressionPlan,
    CompressionRecipe,
    ModelError,
    Plan,
    PlanError,
    ResetState,
    SensitivityMetric,
    WeightFormat,
    made_folder,
    quoted,
)
from autoq.graph import IgnoredScope, Weight, Weights, find_weights, read_model
from autoq.report import progress_bar
from autoq.transform import (
    ChannelScales,
    DataEncoder,
    Products,
    activation_scores,
    channel_scales,
    check_formats,
    choose_formats,
    compress_model,
    learned_formats,
    note_plan,
    products_needed,
    rounded_by_data,
    weight_scores,
)


def compress_weights(
    model: Any,  # whatever read_model reads
    *,
    mode: str | Enum = "int8_asym",
    ratio: float | None = None,
    group_size: int | None = None,
    ignored_scope: Any = None,  # whatever IgnoredScope.of takes
    all_layers: bool | None = None,
    sensitivity_metric: str | Enum | None = None,
    backup_mode: str | Enum | None = None,
    group_size_fallback: str | Enum = "error",
    codebook: Iterable[float] | None = None,
    codebook_type: str | Enum | None = None,
    codebook_size: int | None = None,
    across_blocks: bool | None = None,
    dataset: Any = None,  # whatever as_inputs takes
    subset_size: int = SUBSET_SIZE,
    rounding: str | Enum | None = None,
    awq: bool | None = None,
    scale_estimation: bool | None = None,
    gptq: bool | None = None,
    lora_correction: bool | None = None,
    objective: str | Enum | None = None,
    reset_state: str | ResetState = ResetState.SAMPLE,
    cache: str | os.PathLike[str] | None = None,
    plan: Plan | CompressionPlan | None = None,
    progress: bool = True,
) -> ov.Model:
    """Stores the weights of a model in few bits. The model then computes in float, with these weights.

    No data are needed. With a dataset, weights of at most 4 bits become more exact at the same size: the model runs
    once over the data, and the weights of each matrix product are rounded for the least error of its outputs on all
    tokens; each matrix of a stack, such as those of experts, by its own tokens. Embeddings, convolutions and all
    weights of 8 bits are rounded to the nearest numbers.

    The weights of matrix products, embeddings and convolutions are compressed. With all modes but integers of 8 bits,
    the last matrix product, embeddings and convolutions take the backup mode. Bodies of If, Loop and TensorIterator
    stay in float. A warning tells of weights that OpenVINO's CPU decompresses as a whole, with the memory that they
    take, of a mode that no weight takes, and of convolutions, unless a backup mode is given.

    Args:
        model: What `autoq.read_model` reads; never modified.
        mode: "int8_asym", "int8_sym", "int4_asym", "int4_sym", "int3_sym", "int2_sym", "nf4", "fp4", "mxfp4",
            "mxfp8_e4m3", "fp8_e4m3", "nvfp4", "cb4", "codebook", or "adaptive_codebook", which learns a codebook for
            each weight: by a dataset, for the least error of its layer, or without data, by its numbers alone.
        ratio: Share of the numbers, of weights that need not take the backup mode, that takes the mode; by default all.
            The share stays below the ratio; 0 gives all of them the backup mode.
        group_size: Numbers along the reduced axis that share a scale; -1 for one scale for each channel. By default
            128, 32 for "mxfp4" and "mxfp8_e4m3", 16 for "nvfp4", and -1 for codebooks and 8-bit integers.
        ignored_scope: Operations whose weights stay in float: an `IgnoredScope`, autoq's or NNCF's, names, or one name.
        all_layers: Compress the last matrix product and the tables of embeddings with the mode too.
        sensitivity_metric: How weights are ranked where the ratio is below 1: "weight_quantization_error", or with a
            dataset also "max_activation_variance", which is then the default, "mean_activation_variance",
            "mean_activation_magnitude" or "hessian_input_activation".
        backup_mode: "int8_asym", "int8_sym", "fp8_e4m3", "mxfp8_e4m3", or "none", which leaves the other weights in
            float. By default "int8_asym"; "mxfp8_e4m3" for "mxfp4" and "mxfp8_e4m3"; "fp8_e4m3" for "fp4" and
            "fp8_e4m3".
        group_size_fallback: What becomes of a weight that groups do not fit: "error"; "ignore" leaves it in float;
            "adjust" takes the largest power of two that fits, if that is 32 or more, and else the backup mode.
        codebook: Numbers in ascending order, for the mode "codebook"; "adaptive_codebook" also tries these.
        codebook_type: Type of the numbers of a codebook: "f8e4m3", "f16", "f32" or "i8". By default "f32" for
            "codebook", and "f8e4m3" for "adaptive_codebook".
        codebook_size: Numbers of a codebook that is learned, 2 to 256; by default 16.
        across_blocks: Learn one codebook for all weights whose names differ in digits and signs alone.
        dataset: Model inputs, in the forms that `autoq.quantize` takes for calibration.
        subset_size: Number of samples used, from the first one.
        rounding: How numbers are rounded. "compensated", the default with a dataset: scales are searched, and each
            column takes over the errors of those before, columns with large activations first. "gptq" does the latter
            alone, with the usual scales, and "scale_estimation" only searches scales.
            "nearest" rounds each number by itself, without data.
        awq: Scale the columns of weights after an activation function or a gate, so that those with large activations
            are rounded more finely. The product before takes up the inverse, or a Multiply where there is none. Without
            a dataset, by the weights alone.
        scale_estimation: True is rounding="scale_estimation"; with `gptq`, "compensated".
        gptq: True is rounding="gptq".
        lora_correction: Add the product of two small matrices in 8 bits to each such layer, which makes up for a part
            of the error. It costs size and time; not with `gptq`.
        objective: "tokens", by which every token counts, or "sample_means": scale estimation and corrections see the
            mean token of each sample alone, as they do in NNCF.
        reset_state: When a model with state is reset while it runs over the data: before each "sample", or "never".
        cache: Folder that keeps the statistics of activations for the next call with this model and these data.
        plan: Compress exactly as this plan, or this part of one, says; it replaces the parameters above. It may also
            quantize layers, by the dataset, as `autoq.quantize` does.
        progress: Show a bar on a terminal.

    Returns:
        A new model. Its plan is in its rt_info under "autoq".

    Raises:
        ModelError: The model does not read, has no weights to compress or only compressed ones, a group size does not
            fit, or a weight holds numbers that are not finite.
        DataError: The data do not fit the model, or are missing.
        PlanError: A parameter, scope or plan names something that does not exist, or parameters contradict each other.
    """
    recipe = read_recipe(
        mode=mode,
        ratio=ratio,
        group_size=group_size,
        all_layers=all_layers,
        sensitivity_metric=sensitivity_metric,
        backup_mode=backup_mode,
        group_size_fallback=group_size_fallback,
        codebook=codebook,
        codebook_type=codebook_type,
        codebook_size=codebook_size,
        across_blocks=across_blocks,
        rounding=rounding,
        awq=awq,
        scale_estimation=scale_estimation,
        gptq=gptq,
        lora_correction=lora_correction,
        objective=objective,
        has_data=dataset is not None and plan is None,
    )
    part = None if plan is None else Plan.of(plan).compression
    if part is not None:
        # Its formats are known: no weight is ranked.
        recipe = replace(part.recipe, sensitivity_metric=SensitivityMetric.WEIGHT_QUANTIZATION_ERROR)
        check_data(recipe, has_data=dataset is not None)
    # A plan is built from what it was found by.
    ranks = (recipe if part is None else part.recipe).ranks_by_data
    scope, resets = IgnoredScope.of(ignored_scope), ResetState.parse(reset_state)
    _check_subset_size(subset_size)
    folder = None if cache is None else made_folder(cache, "cache")
    network = read_model(model)
    if plan is not None and (both := Plan.of(plan)).quantizes:
        settings = Settings.of(reset_state=resets, cache=folder)
        return build_plan(network, both, dataset, settings, seen_samples=subset_size, progress=progress)
    weights = find_weights(network, None if part else scope, all_layers=recipe.all_layers)
    _check(network, weights)
    with ExitStack() as stack:
        seen: SeenActivations | None = None

        def see(some: Sequence[Weight], formats: Mapping[str, WeightFormat]) -> SeenActivations:
            rounded = [weight for weight in some if weight.name in formats]
            rounded = [weight for weight in rounded if rounded_by_data(weight, formats[weight.name])]
            columns = {weight.name: products_needed(weight, formats[weight.name], recipe) for weight in rounded}
            inputs = as_inputs(network, dataset, noun="compression", most=subset_size, keep=folder is not None)
            return stack.enter_context(
                observed(
                    network,
                    some,
                    rounded,
                    inputs,
                    subset_size,
                    resets,
                    recipe.objective,
                    columns=columns,
                    ranks=ranks,
                    cache=folder,
                    progress=progress,
                )
            )

        if part is None:
            if recipe.ranks_by_data:
                # Groups that do not fit are found before the data are read.
                every = choose_formats(weights.every, replace(recipe, ratio=1.0), lambda _: {})
                ranked = [weight for weight in weights.compressible if weight.defines_ratio]
                rounds = recipe.rounds_by_data or recipe.awq or recipe.format.is_learned
                seen = see(ranked, every if rounds else {})
            part = CompressionPlan(recipe, choose_formats(weights.every, recipe, _scores(network, recipe, seen)))
        else:
            check_formats(part.formats, weights.by_name)
        why, mode = (
            untaken(weights.compressible, recipe, part.formats) if plan is None else None,
            str(recipe.format.mode),
        )
        if not part.formats:
            name = quoted(network.get_friendly_name())
            msg = f"model {name} has no weight that takes mode {mode!r}{'.' if why is None else f' {why}'}"
            raise ModelError(msg)
        if why is not None:
            warnings.warn(f"no weight takes mode {mode!r} {why}", stacklevel=2)
        elif plan is None and backup_mode is None and (told := backed_up(weights.every, recipe, part.formats)):
            warnings.warn(told, stacklevel=2)
        warn_of_decompressed(weights.every, part.formats, stacklevel=3)
        learns = any(form.is_learned for form in part.formats.values())
        by_data = dataset is not None and (recipe.rounds_by_data or recipe.awq or learns)
        if by_data and seen is None:
            taking = [weight for weight in weights.every if weight.name in part.formats]
            seen = see([w for w in taking if rounded_by_data(w, part.formats[w.name])], part.formats)
        known = seen if seen is not None and by_data else SeenActivations()
        formats = _compress(network, weights, replace(part, recipe=recipe), known, by_data=by_data, progress=progress)
    given = Plan.of(part if plan is None else plan)
    note_plan(network, given.having(replace(given.compression, formats=formats)))
    return network


def _compress(
    network: ov.Model, weights: Weights, part: CompressionPlan, known: SeenActivations, *, by_data: bool, progress: bool
) -> Mapping[str, WeightFormat]:
    """Compresses weights of a model, which is changed; gives their formats, with the codebooks that were learned."""
    scales, recipe = ChannelScales(), part.recipe
    if recipe.awq:
        data = (known.grams, known.activations) if by_data else None
        scales = channel_scales(network, weights.every, part.formats, data)
    products, activations = Products(known.grams), known.activations
    encoder = DataEncoder(recipe, products, activations, scales)
    # More threads would mostly wait for each other: there are many small products.
    with progress_bar("compressing weights", shown=progress) as step, threadpool_limits(1, "blas"):
        formats = learned_formats(
            network,
            weights.every,
            part.formats,
            products,
            activations,
            scales,
            across_blocks=recipe.across_blocks,
        )
        compress_model(network, weights.every, formats, encoder=encoder, step=step)
    scales.divide_inputs(network, weights.every)
    encoder.add_corrections(network, weights.every)
    return formats


def _scores(
    network: ov.Model, recipe: CompressionRecipe, seen: SeenActivations | None
) -> Callable[[list[Weight]], dict[str, float]]:
    """What ranks weights."""
    if seen is None:
        return lambda some: weight_scores(network, some)
    metric = recipe.sensitivity_metric
    return lambda some: activation_scores(network, some, metric, seen.grams, seen.activations)


def _check_subset_size(subset_size: object) -> None:
    if isinstance(subset_size, bool) or not isinstance(subset_size, int) or subset_size < 1:
        msg = f"subset_size is {quoted(subset_size)}: it must be a whole number above 0."
        raise PlanError(msg)


def _check(network: ov.Model, weights: Weights) -> None:
    """Checks that there is something to compress."""
    if weights.compressible:
        return
    name = quoted(network.get_friendly_name())
    if weights.compressed_already and not weights.every:
        msg = f"model {name} is compressed already: compress the float model that it was made of."
    elif weights.every:
        first = weights.every[0]
        msg = f"model {name} has no weight to compress; {quoted(first.name)}, for example: {first.reason}."
    else:
        msg = f"model {name} has no weight to compress: no constant is read by a matrix product, Gather or convolution."
    raise ModelError(msg)
