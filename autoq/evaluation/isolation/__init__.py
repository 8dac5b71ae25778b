"""The same in a process of its own, which a crash of the device does not take with it."""

from autoq.evaluation.isolation._isolated import IsolatedEvaluator
from autoq.evaluation.isolation._process import DeviceProcess

__all__ = [
    "DeviceProcess",
    "IsolatedEvaluator",
]
