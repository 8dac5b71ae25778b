"""An evaluator in a process of its own, so that a crash of the device does not end this process."""

from autoq.evaluation.isolation._isolated import IsolatedEvaluator, check_sendable
from autoq.evaluation.isolation._meanwhile import Meanwhile
from autoq.evaluation.isolation._process import DeviceProcess

__all__ = [
    "DeviceProcess",
    "IsolatedEvaluator",
    "Meanwhile",
    "check_sendable",
]
