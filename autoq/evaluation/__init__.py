"""Accuracy and latency of one model on one device."""

from autoq.evaluation._records import Accuracy, Evaluation, ExecutedLayer, ExecutionReport, Latency

__all__ = ["Accuracy", "Evaluation", "ExecutedLayer", "ExecutionReport", "Latency"]
