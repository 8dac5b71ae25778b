"""Experiment files: typed YAML, and the user's code that they name."""

from autoq.config._code import load_data, load_function, load_metric
from autoq.config._experiment import Budget, ExperimentConfig, Tracking

__all__ = ["Budget", "ExperimentConfig", "Tracking", "load_data", "load_function", "load_metric"]
