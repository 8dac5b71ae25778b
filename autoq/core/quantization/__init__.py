"""Recipes and plans, and the numbers of quantizers: pure numpy."""

from autoq.core.quantization._fp8 import Fp8Scale, fp8_bytes, fp8_scale, lowest_exponent, round_to_fp8
from autoq.core.quantization._numerics import (
    FloatArray,
    QuantizerLimits,
    asymmetric_limits,
    fake_quantize,
    half_range_limits,
    quantization_level,
    symmetric_limits,
)
from autoq.core.quantization._plan import GROUP_CHOICES, QuantizationPlan
from autoq.core.quantization._range_estimator import Aggregator, RangeEnd, RangeEstimator, SampleStatistic
from autoq.core.quantization._recipe import Recipe
from autoq.core.quantization._scheme import QuantizerScheme

__all__ = [
    "GROUP_CHOICES",
    "Aggregator",
    "FloatArray",
    "Fp8Scale",
    "QuantizationPlan",
    "QuantizerLimits",
    "QuantizerScheme",
    "RangeEnd",
    "RangeEstimator",
    "Recipe",
    "SampleStatistic",
    "asymmetric_limits",
    "fake_quantize",
    "fp8_bytes",
    "fp8_scale",
    "half_range_limits",
    "lowest_exponent",
    "quantization_level",
    "round_to_fp8",
    "symmetric_limits",
]
