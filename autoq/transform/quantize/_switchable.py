"""A model with an input that switches units between int8 and float, so that one compilation runs many plans.

requires: a clone of the model that the quantizers were resolved for, with SmoothQuant's divisions.
ensures: with a switch at 0, its unit computes as in float; with 1, as with its quantizers; up to rounding in f32.

    activation   x + switch * (quantized x - x)
    layer        layer(x, w) + switch * layer(x, quantized w - w), since it is linear in its weight
    other reader reader(x, w + switch * (quantized w - w))
    bias         + switch * shift

Both weights of a layer are constants, as its kernels need them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import openvino as ov
from openvino import opset13 as ops
from openvino.utils.node_factory import NodeFactory

from autoq.core import FloatArray
from autoq.graph import SiteKind, Tensor, WeightedLayer, operation
from autoq.transform.quantize._bias_correction import by_channel
from autoq.transform.quantize._fake_quantize import float_node, quantizer_node, readers_of
from autoq.transform.quantize._resolved import ResolvedQuantizer

SWITCHES = "autoq/switches"


class Switches:
    """The switches of a model: a new input [units].

    Args:
        model: The clone; it gets the input.
        units: Number of units.
    """

    def __init__(self, model: ov.Model, units: int) -> None:
        parameter = ops.parameter([units], np.float32, SWITCHES)
        parameter.output(0).set_names({SWITCHES})
        parameter.set_friendly_name(SWITCHES)
        model.add_parameters([parameter])
        self._parameter = parameter
        self._made: dict[tuple[frozenset[int], str], ov.Node] = {}

    def of(self, units: frozenset[int], kind: str = "f32") -> ov.Node:
        """A scalar of this type: 1 if all of these units are int8, otherwise 0."""
        key = (units, kind)
        if key in self._made:
            return self._made[key]
        if kind != "f32":
            self._made[key] = ops.convert(self.of(units), kind)
            return self._made[key]
        ordered = np.array(sorted(units), np.int64)
        picked = ops.gather(self._parameter, ops.constant(ordered), ops.constant(np.int64(0)))
        self._made[key] = ops.reduce_prod(picked, ops.constant(np.array([0], np.int64)), keep_dims=False)
        return self._made[key]

    def blend(self, units: frozenset[int], value: ov.Output, difference: ov.Output) -> ov.Output:
        """The value, plus the difference if the units are int8."""
        switch = self.of(units, value.get_element_type().get_type_name())
        return ops.add(value, ops.multiply(switch, difference)).output(0)


def switch_activations(
    nodes: Mapping[str, ov.Node],
    quantizers: Sequence[ResolvedQuantizer],
    divided: Mapping[Tensor, ov.Output],
    switches: Switches,
    units_of: Callable[[ResolvedQuantizer], frozenset[int]],
) -> None:
    """Puts a switched quantizer on each quantized activation; the arguments are those of `insert_activations`."""
    for quantizer in quantizers:
        if quantizer.kind is not SiteKind.ACTIVATION:
            continue
        source = nodes[quantizer.tensor.producer].output(quantizer.tensor.port)
        if quantizer.smoothed:
            source = divided[quantizer.tensor]
        readers = readers_of(source)
        quantized = quantizer_node(source, quantizer)
        blended = switches.blend(units_of(quantizer), source, ops.subtract(quantized, source).output(0))
        for op, port in quantizer.consumers:
            if op in nodes and (nodes[op].get_name(), port) in readers:
                nodes[op].input(port).replace_source_output(blended)


def switch_weights(
    nodes: Mapping[str, ov.Node],
    quantizers: Sequence[ResolvedQuantizer],
    values: Callable[[ResolvedQuantizer], tuple[FloatArray, FloatArray]],
    switches: Switches,
    units_of: Callable[[ResolvedQuantizer], frozenset[int]],
) -> None:
    """Switches between float and quantized weights. It is called after the activations are done.

    Args:
        nodes: Operations of the clone.
        quantizers: As in `insert_weights`.
        values: Gives the float and the quantized weight of a quantizer.
        switches: Switches of the clone.
        units_of: Gives the units of a quantizer.
    """
    for quantizer in quantizers:
        if quantizer.kind is not SiteKind.WEIGHT:
            continue
        value, quantized = values(quantizer)
        units = units_of(quantizer)
        kind = nodes[quantizer.tensor.producer].get_output_element_type(quantizer.tensor.port)
        weight = float_node(value, kind, f"{quantizer.name}/float").output(0)
        error = float_node(quantized - value, kind, f"{quantizer.name}/error").output(0)
        for op, port in quantizer.consumers:
            node = nodes[op]
            if not operation(node.get_type_name()).linear:
                node.input(port).replace_source_output(switches.blend(units, weight, error))
                continue
            node.input(port).replace_source_output(weight)
            readers = list(node.output(0).get_target_inputs())
            inputs = node.input_values()
            inputs[port] = error
            blended = switches.blend(units, node.output(0), again(node, inputs))
            for reader in readers:
                reader.replace_source_output(blended)


def switch_biases(
    nodes: Mapping[str, ov.Node],
    layers: Mapping[str, WeightedLayer],
    shifts: Mapping[str, FloatArray],
    switches: Switches,
    units_of: Callable[[WeightedLayer], frozenset[int]],
) -> None:
    """Adds the shift of a layer's bias if the layer is int8; the arguments are those of `shift_biases`."""
    for op, shift in shifts.items():
        layer = layers[op]
        if layer.bias_add is None or layer.bias_port is None:
            continue
        bias = nodes[layer.bias_add].input(layer.bias_port)
        source = bias.get_source_output()
        moved = float_node(by_channel(shift, nodes[op], layer), source.get_element_type(), f"{op}/shift").output(0)
        bias.replace_source_output(switches.blend(units_of(layer), source, moved))


def again(node: ov.Node, inputs: Sequence[ov.Output]) -> ov.Output:
    """The same operation on other inputs."""
    factory = NodeFactory(node.get_type_info().version_id)
    return factory.create(node.get_type_name(), list(inputs), node.get_attributes()).output(0)
