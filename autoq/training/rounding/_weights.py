"""The quantized weights of a model, as levels and scales, and back.

The model has each weight as a float Constant behind a FakeQuantize whose limits are constants: that is what
`autoq.quantize(..., fold_weights=False)` makes, and `with_latent_weights` of weights that are stored in integers.

| symbol | is                                                        | shape           |
|--------|-----------------------------------------------------------|-----------------|
| q      | level, a whole number in [0, n]                            | as the Constant |
| x      | the level that the float weight would have, not rounded    | as the Constant |
| s, z   | scale and zero point; the weight is s (q - z)              | as the limits   |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.core import FloatArray
from autoq.graph import unique_names
from autoq.training.twin import Grid, grid_of


@dataclass(frozen=True, slots=True)
class Rounded:
    """A weight as it is rounded.

    Attributes:
        level: q.
        scale: s.
    """

    level: FloatArray
    scale: FloatArray


@dataclass(frozen=True, slots=True)
class QuantizedWeight:
    """A weight behind a FakeQuantize.

    Attributes:
        name: Name of the FakeQuantize.
        grid: s, z and n.
        exact: x, single precision.
    """

    name: str
    grid: Grid
    exact: FloatArray

    @property
    def given(self) -> Rounded:
        """The weight as the model has it."""
        return Rounded(np.clip(np.rint(self.exact), 0, self.grid.levels - 1), self.grid.scale)

    def value(self, rounded: Rounded) -> FloatArray:
        """The numbers that the model computes with."""
        return np.asarray((rounded.level - self.grid.zero_point) * rounded.scale, np.float32)


def quantized_weights(model: ov.Model) -> dict[str, QuantizedWeight]:
    """The weights behind quantizers, by name; those where zero is no level stay as they are.

    Args:
        model: Never modified.
    """
    found = {}
    for name, op in unique_names(model).items():
        if op.get_type_name() != "FakeQuantize":
            continue
        value = _numbers(op.input_value(0).get_node())
        grid = grid_of(op)
        if value is not None and grid is not None:
            exact = value / grid.scale + grid.zero_point
            found[name] = QuantizedWeight(name, grid, np.asarray(exact, np.float32))
    return found


def with_open_weights(model: ov.Model, every: Mapping[str, QuantizedWeight], learn: Mapping[str, object]) -> ov.Model:
    """The model with its quantized weights as inputs or as Constants, in the place of their FakeQuantize.

    Args:
        model: Never modified.
        every: What `quantized_weights` found in it.
        learn: Names of the weights that become inputs, under this name, behind those that the model has. The others
            become Constants.
    """
    clone = model.clone()
    nodes = unique_names(clone)
    opened = []
    for name, weight in every.items():
        output = nodes[name].output(0)
        if name in learn:
            made = ops.parameter(output.get_shape(), output.get_element_type())
            made.set_friendly_name(name)
            opened.append(made)
        else:
            made = ops.constant(weight.value(weight.given))
        for target in output.get_target_inputs():
            target.replace_source_output(made.output(0))
    clone.add_parameters(opened)
    clone.validate_nodes_and_infer_types()
    return clone


def with_rounded_weights(
    model: ov.Model, weights: Mapping[str, QuantizedWeight], rounded: Mapping[str, Rounded]
) -> ov.Model:
    """The model with other levels and scales of some weights; operations and names stay.

    Args:
        model: Never modified.
        weights: What `quantized_weights` found in it.
        rounded: The new numbers by name.
    """
    clone = model.clone()
    nodes = unique_names(clone)
    for name, made in rounded.items():
        op, weight = nodes[name], weights[name]
        source = op.input_value(0).get_node()
        constant = source.input_value(0).get_node() if source.get_type_name() == "Convert" else source
        op.input(0).replace_source_output(_named(weight.value(made), constant).output(0))
        ends: dict[str, ov.Node] = {}
        for port, limit in zip((1, 2, 3, 4), weight.grid.limits(made.scale) * 2, strict=True):
            old = op.input_value(port).get_node()
            if old.get_name() not in ends:
                ends[old.get_name()] = _named(limit, old)
            op.input(port).replace_source_output(ends[old.get_name()].output(0))
    clone.validate_nodes_and_infer_types()
    return clone


def _named(value: NDArray[np.float32], like: ov.Node) -> ov.Node:
    node = ops.constant(np.ascontiguousarray(value))
    node.set_friendly_name(like.get_friendly_name())
    return node


def _numbers(node: ov.Node) -> FloatArray | None:
    """The numbers of a float Constant, or of a Convert of one; None for other operations."""
    node = node.input_value(0).get_node() if node.get_type_name() == "Convert" else node
    if node.get_type_name() != "Constant" or not node.get_element_type().is_real():
        return None
    return np.asarray(node.get_data(dtype=np.float32))
