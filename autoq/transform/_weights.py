"""Float weights of a model as numpy arrays, read once."""

from __future__ import annotations

import numpy as np
import openvino as ov

from autoq.core import FloatArray
from autoq.graph import unique_names


class FloatWeights:
    """Weights by site, in float32, in the shape in which the operation reads them.

    Args:
        model: The float model.
    """

    def __init__(self, model: ov.Model) -> None:
        self._nodes = unique_names(model)
        self._values: dict[str, FloatArray] = {}
        self._extremes: dict[tuple[str, tuple[int, ...]], tuple[FloatArray, FloatArray]] = {}

    def node(self, name: str) -> ov.Node:
        """The float model's operation."""
        return self._nodes[name]

    def value(self, name: str) -> FloatArray:
        """The constant that an operation stands for: a Constant, or a Convert or Reshape of one."""
        if name not in self._values:
            self._values[name] = _evaluate(self._nodes[name])
        return self._values[name]

    def extremes(self, name: str, channel_axes: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
        """Smallest and largest weight of each channel, each flat [channels]."""
        key = (name, channel_axes)
        if key not in self._extremes:
            self._extremes[key] = channel_extremes(self.value(name), channel_axes)
        return self._extremes[key]


def channel_extremes(weight: FloatArray, channel_axes: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Smallest and largest value over all axes but the channels', each flat."""
    reduced = tuple(axis for axis in range(weight.ndim) if axis not in channel_axes)
    return weight.min(axis=reduced).reshape(-1), weight.max(axis=reduced).reshape(-1)


def _evaluate(node: ov.Node) -> FloatArray:
    if node.get_type_name() == "Constant":
        return np.asarray(node.get_data(dtype=np.float32))
    source = _evaluate(node.input_value(0).get_node())
    return source.reshape(tuple(node.output(0).shape)) if node.get_type_name() == "Reshape" else source
