"""`autoq.quantize`, with NNCF's parameters and their meaning."""

from __future__ import annotations

from typing import Any, Unpack

import openvino as ov

from autoq.api.quantizing._options import QuantizeOptions, shows_options
from autoq.api.quantizing._planned import build_plan
from autoq.api.quantizing._settings import Settings
from autoq.calibration import Statistics
from autoq.core import Plan, QuantizationPlan
from autoq.graph import read_model


@shows_options
def quantize(
    model: Any,  # whatever read_model reads
    calibration: Any,  # whatever as_inputs takes
    *,
    fold_weights: bool = True,
    statistics: Statistics | None = None,
    plan: Plan | QuantizationPlan | None = None,
    strict: bool = False,
    progress: bool = True,
    **options: Unpack[QuantizeOptions],
) -> ov.Model:
    """Quantizes a trained model to 8 bits.

    The result is compiled and runs a sample before it is returned, where its device is present: the CPU for all targets
    but "GPU" and "NPU". Groups that the device refuses stay in float, as few as possible, and a warning names them.

    The bodies of If, Loop and TensorIterator are quantized too. The bodies of one operation are one group of the plan.
    Their biases are always corrected fast, and their channels are not aligned.

    Args:
        model: What `autoq.read_model` reads; never modified.
        calibration: Model inputs. A sample is what you yield: an item of an iterable (list, DataLoader, Dataset,
            generator, tf.data, Hugging Face rows, `nncf.Dataset`), a row of an array [n, ...] or of a dict of arrays.
            An item is an array of any library, an image of Pillow, a tuple by place or a dict by input name; labels
            and other keys are ignored. A sample may lack the model's first axis where that is 1. The first axis of an
            item is a batch, and is split, only where the data say so (a DataLoader with a batch size, tf.data's
            `batch`), or where the model says so, by its layout or because it takes one sample at a time. No more is
            read than `subset_size` asks for. Or a path: of `.npy`, `.npz`, `.csv`, or of images, see `autoq.images`.
        preset: "performance" (activations symmetric) or "mixed" (asymmetric); by default "mixed" for a transformer,
            else "performance".
        mode: "fp8_e4m3" or "fp8_e5m2" for 8-bit floating point; by default 8-bit integers.
        target_device: "ANY", "CPU", "GPU", "NPU", or "CPU_SPR", which quantizes one side of a sum only.
        subset_size: Number of calibration samples used: by default 300, or all where there are fewer. A warning says
            where the data hold fewer than you ask for.
        fast_bias_correction: True is the closed form; False measures each layer in the quantized model, on a fifth of
            the samples.
        model_type: "transformer" for its placement rules and SmoothQuant.
        ignored_scope: Operations that stay in float: an `IgnoredScope`, autoq's or NNCF's, names, or one name.
        bias_correction: False leaves biases as they are.
        overflow_fix: "first_layer_only" (default in 8 bits), "enable" or "disable" (default otherwise): which weights
            use half of their range.
        quantize_outputs: Quantize the model's outputs too.
        smooth_quant_alpha: Migration strength in [0, 1]; None is off; by default 0.95 for a transformer, else off.
        channel_alignment: First even out the channels between two convolutions that follow each other directly.
        range_estimator: How the ranges of activations are found: "mean_min_max" (default), "min_max", "median_min_max",
            "mean_no_outliers", "mean_quantile", "histogram", "mse", "kl", or a mapping with the keys "minimum" and
            "maximum", each with "statistic", "aggregator" and "outlier_probability". For tensors with fewer than 64
            values in a sample, the default takes the extremes over the subset: the mean would cut off many values.
        weight_range_estimator: How the ranges of weights are found: "min_max" (default), another of the above without a
            search, or "mse", which searches the range of each channel with the least squared error.
        activations: Properties of the quantizers of activations, a mapping with any of the keys "bits" (2 to 16),
            "symmetric", "signed", "per_channel" and "narrow_range". Preset and device decide the others.
        weights: Likewise for weights.
        fold_weights: Store weights in 8 bits; False keeps them in float behind a FakeQuantize.
        precision: Precision of the model while statistics are collected: "f32" is exact, "bf16" faster on devices that
            have it.
        reset_state: When a model with state is reset while it runs over `calibration`: before each "sample", or
            "never". Use "never" where samples are the steps of one sequence, which then run in order.
        statistics: Statistics that `autoq.collect` collected earlier; the model is then not run over `calibration`.
        cache: Folder that keeps the statistics for the next call with this model and these data.
        plan: Build exactly this plan, or this part of one; it replaces the recipe parameters above. It may compress
            weights besides, where no quantizer stands: they are rounded by the first 128 samples.
        strict: Raise where the device does not run the result, instead of leaving a part of it in float.
        progress: Show a bar on a terminal while statistics are collected.

    Returns:
        A new model.

    Raises:
        ModelError: The model does not read or has nothing to quantize.
        DataError: The calibration data do not fit the model.
        DeviceError: The device does not run the float model, or, with `strict`, the result.
        PlanError: A parameter, scope or plan names something that does not exist.
    """
    settings = Settings.of(**options)
    return build_plan(
        read_model(model),
        Plan.quantized(settings.recipe) if plan is None else Plan.of(plan),
        calibration,
        settings,
        statistics=statistics,
        fold_weights=fold_weights,
        strict=strict,
        progress=progress,
    )
