"""Accuracy and latency of one model on one device."""

from autoq.evaluation._accuracy import Scores, drop_between, mean_interval, paired_drop, score
from autoq.evaluation._candidate_evaluator import CandidateEvaluator, ModelRunner
from autoq.evaluation._chosen import item_count
from autoq.evaluation._compilations import compilation_spread, compilations_within, compile_pairs
from autoq.evaluation._conditions import Conditions
from autoq.evaluation._contest import Contest, raced_accuracy
from autoq.evaluation._corpus import CorpusMetric, jackknife_scores
from autoq.evaluation._corpus_metrics import CORPUS_METRICS
from autoq.evaluation._distortion import SwitchedRuns, distortion, switched_distortions
from autoq.evaluation._evaluator import Evaluator, Finalist, FloatResults, size_bytes
from autoq.evaluation._execution import execution_report, layer_times
from autoq.evaluation._f32_runner import F32Runner
from autoq.evaluation._halving import refused_groups
from autoq.evaluation._hardware import describe_hardware, hardware_fingerprint, supported_precisions
from autoq.evaluation._isolated import IsolatedEvaluator
from autoq.evaluation._latency import MIN_PAIRS, measure_latencies, measure_latency, ratio_of_pairs
from autoq.evaluation._metrics import METRICS, Metric, apply_metric
from autoq.evaluation._outputs import Outputs, model_outputs
from autoq.evaluation._power import power_note, samples_to_prove
from autoq.evaluation._process import DeviceProcess
from autoq.evaluation._profile import LayerProfile, Profile, profile_model
from autoq.evaluation._profile_brief import PROFILE_COLUMNS, profile_rows, profile_summary
from autoq.evaluation._racing import Outcome, Race, finite_population_factor, racing_order
from autoq.evaluation._records import Accuracy, Evaluation, ExecutedLayer, ExecutionReport, Latency
from autoq.evaluation._refused import Accepted, accepted
from autoq.evaluation._resolve import AnyMetric, resolve_metric
from autoq.evaluation._runtime import Compiled, RuntimeConfig, available_devices, check_device
from autoq.evaluation._scorer import Score, Scorer, ValidationFn
from autoq.evaluation._stateful import StatefulMetric
from autoq.evaluation._timed import burst_seconds
from autoq.evaluation._timer_check import busy_note, shown_faster, speed_text, timer_error
from autoq.evaluation._validation import ValidationSet

__all__ = [
    "CORPUS_METRICS",
    "METRICS",
    "MIN_PAIRS",
    "PROFILE_COLUMNS",
    "Accepted",
    "Accuracy",
    "AnyMetric",
    "CandidateEvaluator",
    "Compiled",
    "Conditions",
    "Contest",
    "CorpusMetric",
    "DeviceProcess",
    "Evaluation",
    "Evaluator",
    "ExecutedLayer",
    "ExecutionReport",
    "F32Runner",
    "Finalist",
    "FloatResults",
    "IsolatedEvaluator",
    "Latency",
    "LayerProfile",
    "Metric",
    "ModelRunner",
    "Outcome",
    "Outputs",
    "Profile",
    "Race",
    "RuntimeConfig",
    "Score",
    "Scorer",
    "Scores",
    "StatefulMetric",
    "SwitchedRuns",
    "ValidationFn",
    "ValidationSet",
    "accepted",
    "apply_metric",
    "available_devices",
    "burst_seconds",
    "busy_note",
    "check_device",
    "compilation_spread",
    "compilations_within",
    "compile_pairs",
    "describe_hardware",
    "distortion",
    "drop_between",
    "execution_report",
    "finite_population_factor",
    "hardware_fingerprint",
    "item_count",
    "jackknife_scores",
    "layer_times",
    "mean_interval",
    "measure_latencies",
    "measure_latency",
    "model_outputs",
    "paired_drop",
    "power_note",
    "profile_model",
    "profile_rows",
    "profile_summary",
    "raced_accuracy",
    "racing_order",
    "ratio_of_pairs",
    "refused_groups",
    "resolve_metric",
    "samples_to_prove",
    "score",
    "shown_faster",
    "size_bytes",
    "speed_text",
    "supported_precisions",
    "switched_distortions",
    "timer_error",
]
