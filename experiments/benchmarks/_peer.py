"""The peer: NNCF with its defaults, quiet."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any
from unittest import mock

import nncf
import openvino as ov
from nncf.quantization.range_estimator import (
    AggregatorType,
    RangeEstimatorParameters,
    StatisticsCollectorParameters,
    StatisticsType,
)

from autoq.core import RangeEstimator, Recipe

nncf.set_log_level(logging.ERROR)


def quantize(
    model: ov.Model,
    samples: Sequence[Any],
    *,
    subset_size: int,
    model_type: str | None,
    preset: str | None = None,
    fast_bias_correction: bool = True,
    ignored: Sequence[str] = (),
) -> ov.Model:
    """`nncf.quantize` with the settings that `autoq.quantize` has the same names for."""
    with redirect_stdout(sys.stderr):  # its progress bars
        return nncf.quantize(
            model,
            nncf.Dataset(samples),
            subset_size=subset_size,
            model_type=None if model_type is None else nncf.ModelType(model_type),
            preset=None if preset is None else nncf.QuantizationPreset(preset),
            fast_bias_correction=fast_bias_correction,
            ignored_scope=nncf.IgnoredScope(names=list(ignored), validate=False) if ignored else None,
        )


def compress_weights(
    model: ov.Model, samples: Sequence[Any], *, mode: str, group_size_fallback: str | None = None, **given: Any
) -> ov.Model:
    """`nncf.compress_weights` with the settings that `autoq.compress_weights` has the same names for.

    Args:
        model: The model, which is changed.
        samples: Calibration samples; none compresses without data.
        mode: The mode.
        group_size_fallback: What becomes of weights that groups do not fit.
        **given: Further arguments of the peer.
    """
    if group_size_fallback is not None:
        fallback = nncf.GroupSizeFallbackMode(group_size_fallback)
        given["advanced_parameters"] = nncf.AdvancedCompressionParameters(group_size_fallback_mode=fallback)
    with redirect_stdout(sys.stderr):
        return nncf.compress_weights(
            model, mode=nncf.CompressWeightsMode(mode), dataset=nncf.Dataset(samples) if samples else None, **given
        )


def quantize_with_accuracy_control(
    model: ov.Model,
    samples: Sequence[Any],
    validation: Sequence[Any],
    validation_fn: Any,
    *,
    max_drop: float,
    subset_size: int,
    model_type: str | None,
) -> ov.Model:
    """`nncf.quantize_with_accuracy_control` with its defaults."""
    with redirect_stdout(sys.stderr):
        return nncf.quantize_with_accuracy_control(
            model,
            nncf.Dataset(samples),
            nncf.Dataset(validation),
            validation_fn,
            max_drop=max_drop,
            subset_size=subset_size,
            model_type=None if model_type is None else nncf.ModelType(model_type),
        )


# How the peer spells our range estimators for per-tensor activations: per-sample statistic, then aggregator.
AGGREGATORS = {
    RangeEstimator.MIN_MAX: ("MIN", "MAX"),
    RangeEstimator.MEAN_MIN_MAX: ("MEAN", "MEAN"),
    RangeEstimator.MEDIAN_MIN_MAX: ("MEDIAN", "MEDIAN"),
    RangeEstimator.MEAN_NO_OUTLIERS: ("MEAN_NO_OUTLIERS", "MEAN_NO_OUTLIERS"),
}


def quantize_with(recipe: Recipe, model: ov.Model, samples: Sequence[Any], model_type: str | None) -> ov.Model:
    """`nncf.quantize` with preset, subset and range estimator of a recipe."""
    low, high = AGGREGATORS[recipe.range_estimator]
    estimator = None
    if recipe.range_estimator != RangeEstimator.MEAN_MIN_MAX:
        # Its default, told explicitly, would hold for ranges per channel too, which by default are the extremes.
        estimator = RangeEstimatorParameters(
            min=StatisticsCollectorParameters(StatisticsType.MIN, AggregatorType[low]),
            max=StatisticsCollectorParameters(StatisticsType.MAX, AggregatorType[high]),
        )
    with redirect_stdout(sys.stderr):
        return nncf.quantize(
            model,
            nncf.Dataset(samples),
            subset_size=recipe.subset_size,
            model_type=None if model_type is None else nncf.ModelType(model_type),
            preset=nncf.QuantizationPreset(str(recipe.preset)),
            advanced_parameters=nncf.AdvancedQuantizationParameters(activations_range_estimator_params=estimator),
        )


def fake_quantize_count(model: ov.Model, samples: Sequence[Any], *, model_type: str | None) -> int:
    """Quantizers that the peer places, on activations and weights; its weights are folded only afterwards."""
    with mock.patch(
        "nncf.openvino.quantization.quantize_model.compress_quantize_weights_transformation", return_value=None
    ):
        quantized = quantize(model, samples, subset_size=len(samples), model_type=model_type)
    return sum(op.get_type_name() == "FakeQuantize" for op in quantized.get_ops())
