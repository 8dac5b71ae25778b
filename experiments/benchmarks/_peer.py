"""The peer: NNCF with its defaults, quiet."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import nncf
import openvino as ov

nncf.set_log_level(logging.ERROR)


def quantize(
    model: ov.Model, samples: Sequence[Any], *, subset_size: int, model_type: str | None, preset: str | None = None
) -> ov.Model:
    """`nncf.quantize` with the settings that `autoq.quantize` has the same names for."""
    return nncf.quantize(
        model,
        nncf.Dataset(samples),
        subset_size=subset_size,
        model_type=None if model_type is None else nncf.ModelType(model_type),
        preset=None if preset is None else nncf.QuantizationPreset(preset),
    )
