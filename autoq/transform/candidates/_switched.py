"""A model with an input that switches units of weights between their stored numbers and float.

requires: a clone of the float model.
ensures: with a switch at 0, the weights of its unit are those of the float model; with 1, those that are stored; up to
    rounding in single precision.

    layer          layer(x, w) + switch * (layer(x, stored w) - layer(x, w))
    other readers  w + switch * (stored w - w)

Stored weights stay packed, so that they add a small part of the memory that the float weights take.
"""

from __future__ import annotations

from collections.abc import Iterator

import openvino as ov
from openvino import opset13 as ops

from autoq.graph import Weight, operation
from autoq.transform.compress import StoredWeight, decompressed
from autoq.transform.quantize import Switches, again


def switch_weight(
    nodes: dict[str, ov.Node], weight: Weight, stored: StoredWeight, switches: Switches, unit: int
) -> None:
    """Switches one weight.

    Args:
        nodes: Operations of the clone.
        weight: The weight.
        stored: The weight as it is stored.
        switches: Switches of the clone.
        unit: The unit of the weight.
    """
    constant, units = nodes[weight.constant], frozenset({unit})
    layers = {nodes[name].get_name() for name, _ in weight.readers}
    made = decompressed(constant, stored, weight.port)
    for port in list(_ports(constant.output(0))):
        node, value = port.get_node(), port.get_source_output()
        other = _again_on(made, constant, value)
        if node.get_name() not in layers:
            port.replace_source_output(switches.blend(units, value, ops.subtract(other, value).output(0)))
            continue
        output = node.output(0)
        readers = list(output.get_target_inputs())
        inputs = node.input_values()
        inputs[port.get_index()] = other
        blended = switches.blend(units, output, ops.subtract(again(node, inputs), output).output(0))
        for reader in readers:
            reader.replace_source_output(blended)


def _ports(value: ov.Output) -> Iterator[ov.Input]:
    """Input ports that read a constant, also through operations that only wrap or quantize it."""
    for port in value.get_target_inputs():
        node = port.get_node()
        if (row := operation(node.get_type_name())).wraps_weight or row.quantizer:
            yield from _ports(node.output(0))
        else:
            yield port


def _again_on(made: ov.Node, constant: ov.Node, value: ov.Output) -> ov.Output:
    """What a value becomes if a constant is replaced."""
    node = value.get_node()
    if node.get_name() == constant.get_name():
        return made.output(0)
    inputs = node.input_values()
    inputs[0] = _again_on(made, constant, inputs[0])
    return again(node, inputs)
