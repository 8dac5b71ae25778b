"""Accuracy and latency of one model on one device."""

from autoq.evaluation._accuracy import Scores, mean_interval, paired_drop, score
from autoq.evaluation._evaluator import Evaluator, size_bytes
from autoq.evaluation._execution import execution_report, layer_times
from autoq.evaluation._hardware import describe_hardware, hardware_fingerprint, supported_precisions
from autoq.evaluation._latency import compilation_spread, compile_pairs, measure_latency
from autoq.evaluation._metrics import METRICS, Metric, apply_metric, resolve_metric
from autoq.evaluation._profile import LayerProfile, Profile, profile_model
from autoq.evaluation._racing import Race, race
from autoq.evaluation._records import Accuracy, Evaluation, ExecutedLayer, ExecutionReport, Latency
from autoq.evaluation._runtime import Compiled, RuntimeConfig
from autoq.evaluation._scorer import Score, Scorer, ValidationFn
from autoq.evaluation._validation import ValidationSet

__all__ = [
    "METRICS",
    "Accuracy",
    "Compiled",
    "Evaluation",
    "Evaluator",
    "ExecutedLayer",
    "ExecutionReport",
    "Latency",
    "LayerProfile",
    "Metric",
    "Profile",
    "Race",
    "RuntimeConfig",
    "Score",
    "Scorer",
    "Scores",
    "ValidationFn",
    "ValidationSet",
    "apply_metric",
    "compilation_spread",
    "compile_pairs",
    "describe_hardware",
    "execution_report",
    "hardware_fingerprint",
    "layer_times",
    "mean_interval",
    "measure_latency",
    "paired_drop",
    "profile_model",
    "race",
    "resolve_metric",
    "score",
    "size_bytes",
    "supported_precisions",
]
