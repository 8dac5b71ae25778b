"""Experiment files: typed YAML, and the user's code that they name."""

from autoq.config._code import load_data, load_function, load_metric
from autoq.config._experiment import ExperimentBudget, ExperimentConfig, Tracking
from autoq.config._scope import load_scope, scope_as_yaml

__all__ = [
    "ExperimentBudget",
    "ExperimentConfig",
    "Tracking",
    "load_data",
    "load_function",
    "load_metric",
    "load_scope",
    "scope_as_yaml",
]
