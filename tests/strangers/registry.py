"""The table of strangers: a name, and what writes the model and draws its samples."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from onnx_net import OnnxNet, Sample

_FAMILIES = (
    "convolutional",
    "attention",
    "recurrent",
    "control_flow",
    "quantized_files",
    "storage",
    "tensorflow_forms",
    "paddle_forms",
    "detection",
    "framework_files",
    "torch_modules",
)


class Stranger(NamedTuple):
    """What a user would bring."""

    model: Any  # a path or whatever else read_model takes
    samples: list[Sample]


Build = Callable[[Path], Stranger]
_TABLE: dict[str, Build] = {}
CALIBRATION = 8
SAMPLES = 56


def stranger(name: str) -> Callable[[Build], Build]:
    """Enters a function that writes a model into a folder."""

    def enter(build: Build) -> Build:
        assert name not in _TABLE, name
        _TABLE[name] = build
        return build

    return enter


def onnx_stranger(named: Any = None, **options: Any) -> Any:
    """Enters a function that writes an ONNX network; by its own name unless it is given one.

    Args:
        named: The name; or the function itself where the decorator has no parentheses.
        **options: Of `OnnxNet`.
    """

    def enter(write: Callable[[OnnxNet], None]) -> Callable[[OnnxNet], None]:
        def build(folder: Path) -> Stranger:
            net = OnnxNet(**options)
            write(net)
            return Stranger(net.save(folder), net.samples(SAMPLES))

        stranger(named if isinstance(named, str) else write.__name__)(build)
        return write

    return enter(named) if callable(named) else enter


def table() -> dict[str, Build]:
    """Every stranger of every family."""
    for family in _FAMILIES:
        importlib.import_module(family)
    return dict(_TABLE)
