"""`autoq.quantize`: NNCF's parameters and meaning; a new model."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import openvino as ov

from autoq.api.quantizing._calibrated import calibrate, calibration_inputs, device_at_hand
from autoq.api.quantizing._settings import EstimatorOption, Scheme, Settings
from autoq.calibration import Needs, Statistics
from autoq.core import Plan, QuantizationPlan
from autoq.graph import read_model
from autoq.report import progress_bar


def quantize(
    model: Any,  # whatever read_model reads
    calibration: Any,  # whatever as_inputs takes
    *,
    preset: str | None = None,
    mode: str | None = None,
    target_device: str = "ANY",
    subset_size: int | None = None,
    fast_bias_correction: bool = True,
    model_type: str | None = None,
    ignored_scope: Any = None,  # whatever IgnoredScope.of takes
    bias_correction: bool = True,
    overflow_fix: str | None = None,
    quantize_outputs: bool = False,
    smooth_quant_alpha: float | str | None = "default",
    channel_alignment: bool = False,
    range_estimator: EstimatorOption | None = None,
    weight_range_estimator: EstimatorOption | None = None,
    activations: Scheme | None = None,
    weights: Scheme | None = None,
    fold_weights: bool = True,
    precision: str = "f32",
    reset_state: str = "sample",
    statistics: Statistics | None = None,
    cache: str | os.PathLike[str] | None = None,
    plan: Plan | QuantizationPlan | None = None,
    strict: bool = False,
    progress: bool = True,
) -> ov.Model:
    """Quantizes a model to 8 bits, post training.

    The result is compiled before it is given out, and runs a sample, where the device that it is meant for is at hand:
    the CPU for all targets but "GPU" and "NPU". The smallest part that has to stay in float for that does, and a
    warning names it.

    The bodies of If, Loop and TensorIterator are quantized too, each operation's as one group of the plan; their biases
    are corrected fast in any case, and channels in them are not aligned.

    Args:
        model: What `autoq.read_model` reads; never modified.
        calibration: Model inputs. A sample is what you yield: an item of an iterable (list, DataLoader, Dataset,
            generator, tf.data, Hugging Face rows, `nncf.Dataset`), a row of an array [n, ...] or of a dict of arrays.
            An item is an array of any library, an image of Pillow, a tuple by place or a dict by input name; labels
            and other keys are left out. A sample that lacks just the model's first axis of one is given it. The first
            axis of items is one of samples only where the data say so (a DataLoader with a batch size, tf.data's
            `batch`) or the model does, by its layout or by taking one at a time: then items are split. No more is read
            than `subset_size` asks for. Or a path: of `.npy`, `.npz`, `.csv`, or of images, see `autoq.images`.
        preset: "performance" (activations symmetric) or "mixed" (asymmetric); by default "mixed" for a transformer,
            else "performance".
        mode: "fp8_e4m3" or "fp8_e5m2" for 8-bit floating point; by default 8-bit integers.
        target_device: "ANY", "CPU", "GPU", "NPU", or "CPU_SPR", which quantizes one side of a sum only.
        subset_size: Calibration samples used, 300 by default, or all where there are fewer; fewer than you ask for
            here is a warning.
        fast_bias_correction: True is the closed form; False measures each layer in the quantized model, on a fifth of
            the samples.
        model_type: "transformer" for its placement rules and SmoothQuant.
        ignored_scope: What stays in float: an `IgnoredScope`, autoq's or NNCF's, names of operations, or one name.
        bias_correction: False leaves biases as they are.
        overflow_fix: "first_layer_only" (default in 8 bits), "enable" or "disable" (default otherwise): which weights
            use half of their range.
        quantize_outputs: Quantize the model's outputs too.
        smooth_quant_alpha: Migration strength in [0, 1]; None is off; by default 0.95 for a transformer, else off.
        channel_alignment: Even out the channels between two convolutions with nothing between them first.
        range_estimator: How the ranges of activations are found: "mean_min_max" (default), "min_max", "median_min_max",
            "mean_no_outliers", "mean_quantile", "histogram", "mse", "kl", or a mapping with the keys "minimum" and
            "maximum", each with "statistic", "aggregator" and "outlier_probability". Of tensors with fewer than 64
            values in a sample, the default takes the extremes over the subset: the mean would cut off many of them.
        weight_range_estimator: How the ranges of weights are found: "min_max" (default), another of the above without a
            search, or "mse", the range of each channel that rounds it with the least squared error.
        activations: What is prescribed for quantizers of activations, a mapping with any of the keys "bits" (2 to 16),
            "symmetric", "signed", "per_channel" and "narrow_range"; the rest follows preset and device.
        weights: Likewise for weights.
        fold_weights: Store weights in 8 bits; False keeps them in float behind a FakeQuantize.
        precision: What the model computes in while statistics are collected: "f32" is exact, "bf16" faster on devices
            that have it.
        reset_state: When the state of a model that has one is reset while it runs over `calibration`: before each
            "sample", or "never", where samples are the steps of one sequence and run in order.
        statistics: Collected earlier by `autoq.collect`, instead of running the model over `calibration`.
        cache: Folder that keeps the statistics; the next call with this model and these data finds them there.
        plan: Exactly this plan, or this part of one; overrides the recipe parameters above.
        strict: Raise where the device does not run the result, instead of leaving a part of it in float.
        progress: Show a bar on a terminal while statistics are collected.

    Returns:
        A new model.

    Raises:
        ModelError: The model does not read or has nothing to quantize.
        DataError: The calibration data do not fit the model.
        DeviceError: The device does not run the float model, or, where that is strict, the result.
        PlanError: A parameter, scope or plan names something that does not exist.
    """
    network = read_model(model)
    settings = Settings.of(
        preset=preset,
        mode=mode,
        target_device=target_device,
        subset_size=subset_size,
        fast_bias_correction=fast_bias_correction,
        model_type=model_type,
        ignored_scope=ignored_scope,
        bias_correction=bias_correction,
        overflow_fix=overflow_fix,
        quantize_outputs=quantize_outputs,
        smooth_quant_alpha=smooth_quant_alpha,
        channel_alignment=channel_alignment,
        range_estimator=range_estimator,
        weight_range_estimator=weight_range_estimator,
        activations=activations,
        weights=weights,
        precision=precision,
        reset_state=reset_state,
        cache=cache,
    )
    if plan is not None:
        settings = replace(settings, recipe=Plan.of(plan).quantization.recipe)
    inputs = None
    if calibration is not None or statistics is None:
        inputs = calibration_inputs(network, calibration, settings, again=False)
    with progress_bar("collecting calibration statistics", shown=progress) as step:
        whole = Plan.quantized(settings.recipe) if plan is None else Plan.of(plan)
        needs = Needs.of(whole.quantization.recipes)
        calibrated = calibrate(network, inputs, settings, statistics=statistics, needs=needs, progress=step)
    device = device_at_hand(settings.target_device)
    if device is None:
        return calibrated.build(whole, fold_weights=fold_weights)
    return calibrated.accepted(whole, device, fold_weights=fold_weights, strict=strict).model
