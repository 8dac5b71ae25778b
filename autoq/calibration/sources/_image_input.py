"""How a model takes images, as its input, its graph and notes in its rt_info tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import openvino as ov

from autoq.calibration.sources._ports import Port
from autoq.core import DataError
from autoq.graph import Family, operation

_YES = frozenset({"true", "yes", "1"})
_COLOURS = 3


@dataclass(frozen=True, slots=True)
class Scaling:
    """How pixels of 0 to 255 are changed before they are an input.

    Attributes:
        mean: Subtracted from pixels, one for each channel or for all; None subtracts nothing.
        scale: Divides pixels afterwards; None divides by nothing.
        colors: "RGB" or "BGR".
        told: Whether the model says any of this, or its graph does it.
    """

    mean: tuple[float, ...] | None
    scale: tuple[float, ...] | None
    colors: str
    told: bool

    @classmethod
    def of(cls, model: ov.Model, port: Port) -> Self:
        """Reads the notes of OpenVINO's tools under "model_info", unless they say that the graph does it."""
        if _noted(model, "embedded_processing") in _YES:
            return cls(None, None, "RGB", told=True)
        mean, scale = _numbers(_noted(model, "mean_values")), _numbers(_noted(model, "scale_values"))
        colors = "BGR" if _noted(model, "reverse_input_channels") in _YES else "RGB"
        told = mean is not None or scale is not None or port.dtype.kind != "f" or _scales_inside(model)
        return cls(mean, scale, colors, told)


def channels_of(port: Port, layout: str | None) -> tuple[int, int]:
    """Axis of the channels, -1 for the last one, and the number of channels."""
    rank = len(port.shape) if port.shape.rank.is_static else 0
    if rank != 4:
        msg = f"input {port.name!r} has shape {port.shape}, which is no image of four axes: yield arrays instead."
        raise DataError(msg)
    if layout is None:
        if port.channels is None:
            msg = f"input {port.name!r} has shape {port.shape}: pass images(..., layout='NCHW') or 'NHWC'."
            raise DataError(msg)
        return port.channels
    axis = -1 if layout == "NHWC" else 1
    length = port.shape[axis]
    count = int(length.get_length()) if length.is_static else _COLOURS
    if count not in {1, 3, 4}:
        msg = f"input {port.name!r} has shape {port.shape}, which is not {layout}: axis {axis} has {count} channels."
        raise DataError(msg)
    return axis, count


def _noted(model: ov.Model, name: str) -> str:
    path = ["model_info", name]
    return str(model.get_rt_info(path).value).strip().lower() if model.has_rt_info(path) else ""


def _numbers(text: str) -> tuple[float, ...] | None:
    """Numbers of a text, separated by spaces or commas, with or without brackets."""
    words = text.strip("[]()").replace(",", " ").split()
    return tuple(map(float, words)) or None


def _scales_inside(model: ov.Model) -> bool:
    """Whether the first operation on an input is arithmetic with constants, as scaling is."""
    node = model.inputs[0].get_node()
    for _ in range(3):
        readers = [target.get_node() for target in node.output(0).get_target_inputs()]
        if len(readers) != 1:
            return False
        node = readers[0]
        kind = node.get_type_name()
        if operation(kind).family is Family.ARITHMETIC or kind == "BatchNormInference":
            return True
        if kind not in {"Convert", "Transpose", "Reshape", "Interpolate"}:
            return False
    return False
