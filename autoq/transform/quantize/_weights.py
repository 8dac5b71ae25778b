"""Float weights of a model as numpy arrays."""

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

    def node(self, name: str) -> ov.Node:
        """The float model's operation."""
        return self._nodes[name]

    def value(self, name: str) -> FloatArray:
        """The value of an operation that is constant: a Constant, or a Convert or Reshape of one.

        A constant in single precision is not copied: the array must not be written to. Other constants are converted at
        each call, since a copy of all weights would be as large as the model.
        """
        return _evaluate(self._nodes[name])


def _evaluate(node: ov.Node) -> FloatArray:
    if node.get_type_name() == "Constant":
        return np.asarray(node.data if node.get_element_type() == ov.Type.f32 else node.get_data(dtype=np.float32))
    source = _evaluate(node.input_value(0).get_node())
    return source.reshape(tuple(node.output(0).shape)) if node.get_type_name() == "Reshape" else source
