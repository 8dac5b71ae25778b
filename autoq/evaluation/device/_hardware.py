"""The machine that a latency belongs to."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

import openvino as ov

from autoq.core import RuntimePrecision
from autoq.evaluation.device._runtime import META_DEVICES, check_device
from autoq.graph import core

# Instruction sets that decide how int8 and bf16 run.
_TELLING_FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimddp", "sve")
_CAPABILITY = {RuntimePrecision.F32: "FP32", RuntimePrecision.BF16: "BF16", RuntimePrecision.F16: "FP16"}


def hardware_fingerprint(device: str) -> str:
    """A text that is equal on machines whose latencies may be compared, as far as can be told.

    Raises:
        DeviceError: The device is not there.
    """
    return "; ".join(f"{key} {value}" for key, value in describe_hardware(device).items())


@cache
def _describe(device: str) -> tuple[tuple[str, str], ...]:
    check_device(device)
    flags = _cpu_flags()
    return (
        ("device", device),
        ("name", " ".join(_device_name(device).split())),
        ("cores", str(len(os.sched_getaffinity(0)))),
        ("instructions", " ".join(flag for flag in _TELLING_FLAGS if flag in flags) or platform.machine()),
        ("openvino", ov.get_version()),
    )


def describe_hardware(device: str) -> dict[str, str]:
    """Device name, cores, instruction sets and OpenVINO version.

    Raises:
        DeviceError: The device is not there.
    """
    return dict(_describe(device))


def supported_precisions(device: str) -> tuple[RuntimePrecision, ...]:
    """Precisions of float layers that a device offers; DEFAULT comes first.

    Raises:
        DeviceError: The device is not there.
    """
    check_device(device)
    capabilities = set(core().get_property(_base(device), "OPTIMIZATION_CAPABILITIES"))
    return (RuntimePrecision.DEFAULT, *(p for p, name in _CAPABILITY.items() if name in capabilities))


def _base(device: str) -> str:
    """The first real device in a name such as HETERO:GPU,CPU; the first one here if the name (AUTO) has none."""
    base, _, rest = device.partition(":")
    if rest:
        return rest.split(",")[0]
    return core().available_devices[0] if base in META_DEVICES else base


def _device_name(device: str) -> str:
    return str(core().get_property(_base(device), "FULL_DEVICE_NAME"))


def _cpu_flags() -> frozenset[str]:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return frozenset()
    lines = info.read_text("utf-8").splitlines()
    line = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return frozenset(line.partition(":")[2].split())
