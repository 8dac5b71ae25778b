"""Vocabulary, numerics and plans: pure numpy, no OpenVINO."""

from autoq.core._brief import MOST_LINES, WIDTH, brief_repr, cut, ending, in_lines, text_table
from autoq.core._digest import digest_of
from autoq.core._digits import shown, shown_ms
from autoq.core._errors import (
    AutoqError,
    BudgetError,
    BusyError,
    ConfigError,
    DataError,
    DeviceError,
    DeviceLostError,
    MetricError,
    ModelError,
    OutputError,
    PlanError,
    StoredFileError,
    nearest,
)
from autoq.core._estimate import Estimate
from autoq.core._fp8 import Fp8Scale, fp8_bytes, fp8_scale, lowest_exponent, round_to_fp8
from autoq.core._html import Bar, bars_svg, brief_html, html_table, intervals_svg, paragraph
from autoq.core._inputs import check_not_inputs
from autoq.core._names import file_name
from autoq.core._numerics import (
    FloatArray,
    Limits,
    asymmetric_limits,
    fake_quantize,
    half_range_limits,
    quantization_level,
    symmetric_limits,
)
from autoq.core._paths import made_folder, path_in_url, path_of
from autoq.core._plan import GROUP_CHOICES, QuantizationPlan, Recipe
from autoq.core._precision import PRECISIONS, NumberKind, Precision
from autoq.core._range_estimator import Aggregator, RangeEnd, RangeEstimator, SampleStatistic
from autoq.core._reason import named_reason, reason
from autoq.core._scheme import QuantizerScheme
from autoq.core._shown_path import shown_path
from autoq.core._stored import (
    Format,
    read_arrays,
    read_npy,
    read_npz,
    read_record,
    stamped,
    unstamped,
    write_arrays,
    write_record,
)
from autoq.core._temporary import sweep_temporary, temporary_folder
from autoq.core._typed_values import typed
from autoq.core._typed_yaml import parse_fields, read_yaml, yaml_value
from autoq.core._urls import shown_url, without_passwords
from autoq.core._values import is_number, json_value, known_keys, mapping_of, whole_number
from autoq.core._vocabulary import (
    BiasCorrection,
    DistortionMeasure,
    Level,
    ModelType,
    OverflowFix,
    Preset,
    ResetState,
    RuntimePrecision,
    TargetDevice,
    Word,
)
from autoq.core._words import capitalized, printable, quoted
from autoq.core._writing import drafted, drafted_folder, drafted_once, drafted_together, removed, sweep, write_text

__all__ = [
    "GROUP_CHOICES",
    "MOST_LINES",
    "PRECISIONS",
    "WIDTH",
    "Aggregator",
    "AutoqError",
    "Bar",
    "BiasCorrection",
    "BudgetError",
    "BusyError",
    "ConfigError",
    "DataError",
    "DeviceError",
    "DeviceLostError",
    "DistortionMeasure",
    "Estimate",
    "FloatArray",
    "Format",
    "Fp8Scale",
    "Level",
    "Limits",
    "MetricError",
    "ModelError",
    "ModelType",
    "NumberKind",
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
    "ResetState",
    "RuntimePrecision",
    "SampleStatistic",
    "StoredFileError",
    "TargetDevice",
    "Word",
    "asymmetric_limits",
    "bars_svg",
    "brief_html",
    "brief_repr",
    "capitalized",
    "check_not_inputs",
    "cut",
    "digest_of",
    "drafted",
    "drafted_folder",
    "drafted_once",
    "drafted_together",
    "ending",
    "fake_quantize",
    "file_name",
    "fp8_bytes",
    "fp8_scale",
    "half_range_limits",
    "html_table",
    "in_lines",
    "intervals_svg",
    "is_number",
    "json_value",
    "known_keys",
    "lowest_exponent",
    "made_folder",
    "mapping_of",
    "named_reason",
    "nearest",
    "paragraph",
    "parse_fields",
    "path_in_url",
    "path_of",
    "printable",
    "quantization_level",
    "quoted",
    "read_arrays",
    "read_npy",
    "read_npz",
    "read_record",
    "read_yaml",
    "reason",
    "removed",
    "round_to_fp8",
    "shown",
    "shown_ms",
    "shown_path",
    "shown_url",
    "stamped",
    "sweep",
    "sweep_temporary",
    "symmetric_limits",
    "temporary_folder",
    "text_table",
    "typed",
    "unstamped",
    "whole_number",
    "without_passwords",
    "write_arrays",
    "write_record",
    "write_text",
    "yaml_value",
]
