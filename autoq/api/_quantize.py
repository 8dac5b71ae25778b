"""`autoq.quantize`: NNCF's parameters and meaning; a new model."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.calibration import Needs, Statistics, as_inputs, collect, statistics_digest, statistics_file
from autoq.core import (
    BiasCorrection,
    ModelError,
    ModelType,
    OverflowFix,
    PlanError,
    Preset,
    QuantizationPlan,
    RangeEstimator,
    Recipe,
    TargetDevice,
)
from autoq.graph import NO_SCOPE, IgnoredScope, Placements, read_model
from autoq.transform import quantize_model

# NNCF's default migration strength for MatMul; it applies SmoothQuant to transformers only.
_TRANSFORMER_ALPHA = 0.95


def quantize(
    model: Any,  # whatever read_model reads
    calibration: Any,  # whatever as_inputs takes
    *,
    preset: str | None = None,
    target_device: str = "ANY",
    subset_size: int = 300,
    fast_bias_correction: bool = True,
    model_type: str | None = None,
    ignored_scope: IgnoredScope | None = None,
    bias_correction: bool = True,
    overflow_fix: str | None = None,
    quantize_outputs: bool = False,
    smooth_quant_alpha: float | str | None = "default",
    range_estimator: str | Mapping[str, Any] | RangeEstimator | None = None,
    fold_weights: bool = True,
    precision: str = "f32",
    statistics: Statistics | None = None,
    cache: str | os.PathLike[str] | None = None,
    plan: QuantizationPlan | None = None,
) -> ov.Model:
    """Quantizes a model to 8 bits, post training.

    Args:
        model: What `autoq.read_model` reads; never modified.
        calibration: Model inputs without labels: an array [n, ...], a dict of arrays, or an iterable of inputs.
        preset: "performance" (activations symmetric) or "mixed" (asymmetric); by default "mixed" for a transformer,
            else "performance".
        target_device: Hardware table for placement.
        subset_size: Calibration samples used.
        fast_bias_correction: True is the closed form; there is no other yet, so False is refused.
        model_type: "transformer" for its placement rules and SmoothQuant.
        ignored_scope: What stays in float.
        bias_correction: False leaves biases as they are.
        overflow_fix: "first_layer_only" (default), "enable" or "disable": which weights use half of their range.
        quantize_outputs: Quantize the model's outputs too.
        smooth_quant_alpha: Migration strength in [0, 1]; None is off; by default 0.95 for a transformer, else off.
        range_estimator: How the ranges of activations are found: "mean_min_max" (default), "min_max", "median_min_max",
            "mean_no_outliers", "mean_quantile", "histogram", "mse", "kl", or a mapping with the keys "minimum" and
            "maximum", each with "statistic", "aggregator" and "outlier_probability".
        fold_weights: Store weights as 8-bit integers; False keeps them in float behind a FakeQuantize.
        precision: What the model computes in while statistics are collected: "f32" is exact, "bf16" faster on devices
            that have it.
        statistics: Collected earlier by `autoq.collect`, instead of running the model over `calibration`.
        cache: Folder that keeps the statistics; the next call with this model and these data finds them there.
        plan: Exactly this plan; overrides the recipe parameters above.

    Returns:
        A new model.

    Raises:
        ModelError: The model does not read or has nothing to quantize.
        DataError: The calibration data do not fit the model.
        PlanError: A parameter, scope or plan names something that does not exist.
    """
    network = read_model(model)
    kind = None if model_type is None else ModelType.parse(model_type)
    recipe = _recipe(
        kind=kind,
        preset=preset,
        range_estimator=range_estimator,
        subset_size=subset_size,
        correction=BiasCorrection.FAST if bias_correction else BiasCorrection.NONE,
        overflow_fix=overflow_fix,
        alpha=smooth_quant_alpha,
    )
    if bias_correction and not fast_bias_correction:
        msg = "fast_bias_correction is False, but only the fast form exists; bias_correction=False leaves biases alone."
        raise PlanError(msg)
    placements = Placements.of(
        network,
        {NO_SCOPE: ignored_scope},
        target_device=TargetDevice.parse(target_device),
        model_type=kind,
        quantize_outputs=quantize_outputs,
    )
    if not placements.reference.sites:
        name = network.get_friendly_name()
        msg = f"model {name!r} has nothing to quantize; `autoq sites` says why for every operation."
        raise ModelError(msg)
    chosen = QuantizationPlan(recipe) if plan is None else plan
    if statistics is None:
        inputs = as_inputs(network, calibration)
        path = None
        if cache is not None:
            folder = Path(cache)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / statistics_file(statistics_digest(network, inputs, subset_size, precision))
        statistics = collect(
            network,
            placements,
            inputs,
            needs=Needs.of([chosen.recipe]),
            subset_size=subset_size,
            precision=precision,
            path=path,
        )
    return quantize_model(network, placements, chosen, statistics, fold_weights=fold_weights)


def _recipe(
    *,
    kind: ModelType | None,
    preset: str | None,
    range_estimator: str | Mapping[str, Any] | RangeEstimator | None,
    subset_size: int,
    correction: BiasCorrection,
    overflow_fix: str | None,
    alpha: float | str | None,
) -> Recipe:
    """Parameters as a user writes them, with NNCF's defaults."""
    if isinstance(alpha, str):
        if alpha != "default":
            msg = f"smooth_quant_alpha is {alpha!r}: write a number in [0, 1], None, or leave it out."
            raise PlanError(msg)
        alpha = _TRANSFORMER_ALPHA if kind is ModelType.TRANSFORMER else None
    default_preset = Preset.MIXED if kind is ModelType.TRANSFORMER else Preset.PERFORMANCE
    return Recipe(
        preset=default_preset if preset is None else Preset.parse(preset),
        range_estimator=RangeEstimator.MEAN_MIN_MAX
        if range_estimator is None
        else RangeEstimator.parse(range_estimator),
        subset_size=subset_size,
        bias_correction=correction,
        overflow_fix=OverflowFix.FIRST_LAYER if overflow_fix is None else OverflowFix.parse(overflow_fix),
        smooth_quant_alpha=alpha,
    )
