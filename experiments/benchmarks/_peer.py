"""The peer: NNCF with its defaults, quiet."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any
from unittest import mock

import nncf
import openvino as ov

nncf.set_log_level(logging.ERROR)


def quantize(
    model: ov.Model, samples: Sequence[Any], *, subset_size: int, model_type: str | None, preset: str | None = None
) -> ov.Model:
    """`nncf.quantize` with the settings that `autoq.quantize` has the same names for."""
    with redirect_stdout(sys.stderr):  # its progress bars
        return nncf.quantize(
            model,
            nncf.Dataset(samples),
            subset_size=subset_size,
            model_type=None if model_type is None else nncf.ModelType(model_type),
            preset=None if preset is None else nncf.QuantizationPreset(preset),
        )


def fake_quantize_count(model: ov.Model, samples: Sequence[Any], *, model_type: str | None) -> int:
    """Quantizers that the peer places, on activations and weights; its weights are folded only afterwards."""
    with mock.patch(
        "nncf.openvino.quantization.quantize_model.compress_quantize_weights_transformation", return_value=None
    ):
        quantized = quantize(model, samples, subset_size=len(samples), model_type=model_type)
    return sum(op.get_type_name() == "FakeQuantize" for op in quantized.get_ops())
