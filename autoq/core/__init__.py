"""Vocabulary, numerics and plans: pure numpy, no OpenVINO."""

from autoq.core._errors import (
    AutoqError,
    BudgetError,
    ConfigError,
    DataError,
    DeviceError,
    MetricError,
    ModelError,
    OutputError,
    PlanError,
    nearest,
)
from autoq.core._estimate import Estimate
from autoq.core._numerics import (
    FloatArray,
    Limits,
    asymmetric_limits,
    fake_quantize,
    half_range_limits,
    quantization_level,
    symmetric_limits,
)
from autoq.core._plan import QuantizationPlan, Recipe
from autoq.core._range_estimator import Aggregator, RangeEnd, RangeEstimator, SampleStatistic
from autoq.core._scheme import QuantizerScheme
from autoq.core._typed_yaml import parse_fields, read_yaml
from autoq.core._vocabulary import (
    BiasCorrection,
    ModelType,
    OverflowFix,
    Precision,
    Preset,
    RuntimePrecision,
    TargetDevice,
    Word,
)

__all__ = [
    "Aggregator",
    "AutoqError",
    "BiasCorrection",
    "BudgetError",
    "ConfigError",
    "DataError",
    "DeviceError",
    "Estimate",
    "FloatArray",
    "Limits",
    "MetricError",
    "ModelError",
    "ModelType",
    "OutputError",
    "OverflowFix",
    "PlanError",
    "Precision",
    "Preset",
    "QuantizationPlan",
    "QuantizerScheme",
    "RangeEnd",
    "RangeEstimator",
    "Recipe",
    "RuntimePrecision",
    "SampleStatistic",
    "TargetDevice",
    "Word",
    "asymmetric_limits",
    "fake_quantize",
    "half_range_limits",
    "nearest",
    "parse_fields",
    "quantization_level",
    "read_yaml",
    "symmetric_limits",
]
