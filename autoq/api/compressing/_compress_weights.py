"""`autoq.compress_weights`, with NNCF's parameters and their meaning."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any

import openvino as ov

from autoq.api.compressing._settings import read_recipe
from autoq.core import CompressionPlan, ModelError, Plan, PlanError, nearest, quoted
from autoq.graph import IgnoredScope, Weights, find_weights, read_model
from autoq.report import progress_bar
from autoq.transform import choose_formats, compress_model, note_plan, weight_scores


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
    plan: Plan | CompressionPlan | None = None,
    progress: bool = True,
) -> ov.Model:
    """Stores the weights of a model in few bits. The model then computes in float, with these weights; no data needed.

    The weights of matrix products, embeddings and convolutions are compressed. With all modes but integers of 8 bits,
    the last matrix product, embeddings and convolutions take the backup mode. Bodies of If, Loop and TensorIterator
    stay in float.

    Args:
        model: What `autoq.read_model` reads; never modified.
        mode: "int8_asym", "int8_sym", "int4_asym", "int4_sym", "int3_sym", "int2_sym", "nf4", "fp4", "mxfp4",
            "mxfp8_e4m3", "fp8_e4m3", "nvfp4", "cb4", or "codebook".
        ratio: Share of the numbers, of weights that need not take the backup mode, that takes the mode; by default all.
            The share stays below the ratio; 0 gives all of them the backup mode.
        group_size: Numbers along the reduced axis that share a scale; -1 for one scale for each channel. By default
            128, 32 for "mxfp4" and "mxfp8_e4m3", 16 for "nvfp4", and -1 for codebooks and 8-bit integers.
        ignored_scope: Operations whose weights stay in float: an `IgnoredScope`, autoq's or NNCF's, names, or one name.
        all_layers: Compress the last matrix product and the tables of embeddings with the mode too.
        sensitivity_metric: How weights are ranked where the ratio is below 1: "weight_quantization_error".
        backup_mode: "int8_asym", "int8_sym", "fp8_e4m3", "mxfp8_e4m3", or "none", which leaves the other weights in
            float. By default "int8_asym"; "mxfp8_e4m3" for "mxfp4" and "mxfp8_e4m3"; "fp8_e4m3" for "fp4" and
            "fp8_e4m3".
        group_size_fallback: What becomes of a weight that groups do not fit: "error"; "ignore" leaves it in float;
            "adjust" takes the largest power of two that fits, if that is 32 or more, and else the backup mode.
        codebook: Numbers in ascending order, for the mode "codebook".
        plan: Compress exactly as this plan, or this part of one, says; it replaces the parameters above.
        progress: Show a bar on a terminal.

    Returns:
        A new model. Its plan is in its rt_info under "autoq".

    Raises:
        ModelError: The model does not read, has no weights to compress or only compressed ones, a group size does not
            fit, or a weight holds numbers that are not finite.
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
    )
    scope = IgnoredScope.of(ignored_scope)
    part = None if plan is None else Plan.of(plan).compression
    network = read_model(model)
    weights = find_weights(network, None if part else scope, all_layers=recipe.all_layers)
    _check(network, weights)
    if part is None:
        formats = choose_formats(weights.every, recipe, lambda some: weight_scores(network, some))
        part = CompressionPlan(recipe, formats)
    else:
        _check_plan(part, weights)
    if not part.formats:
        msg = f"model {quoted(network.get_friendly_name())} has no weight that takes mode {str(recipe.format.mode)!r}."
        raise ModelError(msg)
    with progress_bar("compressing weights", shown=progress) as step:
        compress_model(network, weights.every, part.formats, step=step)
    note_plan(network, Plan.of(part))
    return network


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


def _check_plan(part: CompressionPlan, weights: Weights) -> None:
    """Checks that the weights of a plan are there, and take their formats."""
    able = {weight.name: weight for weight in weights.compressible}
    for name, form in part.formats.items():
        weight = able.get(name)
        if weight is None:
            msg = f"plan compresses weight {quoted(name)}, which the model does not have: {nearest(name, able)}"
            raise PlanError(msg)
        if form.is_grouped and (len(weight.axes) != 1 or weight.length % form.group_size):
            msg = (
                f"plan gives weight {quoted(name)} the format {form}, whose groups do not fit its shape {weight.shape}."
            )
            raise PlanError(msg)
