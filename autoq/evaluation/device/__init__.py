"""One compiled model on one device."""

from autoq.evaluation.device._hardware import describe_hardware, hardware_fingerprint, supported_precisions
from autoq.evaluation.device._outputs import Outputs, model_outputs
from autoq.evaluation.device._runtime import Compiled, RuntimeConfig, available_devices, check_device, in_f32

__all__ = [
    "Compiled",
    "Outputs",
    "RuntimeConfig",
    "available_devices",
    "check_device",
    "describe_hardware",
    "hardware_fingerprint",
    "in_f32",
    "model_outputs",
    "supported_precisions",
]
