"""The quantizers of a given model: FakeQuantize, FakeConvert, and numbers stored in 8 bits or fewer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.helpers import unpack_data

from autoq.core import NumberKind
from autoq.graph.operations import (
    FLOAT_TYPES,
    NARROW_TYPES,
    operation,
    unique_names,
)
from autoq.graph.placement._weights import stored_constant


@dataclass(frozen=True, slots=True)
class StandingQuantizer:
    """A quantizer of a given model.

    Attributes:
        levels: Number of values that it distinguishes.
        symmetric: Whether zero is the middle of its range in every channel.
        per_channel: Whether limits differ between channels.
        is_float: Whether it rounds to floating point numbers of 8 bits or fewer.
    """

    levels: int
    symmetric: bool
    per_channel: bool
    is_float: bool


@dataclass(frozen=True, slots=True)
class OperandQuantizer:
    """An input that can be quantized, and its quantizer.

    Attributes:
        port: Input of the operation.
        source: Unique name of the operation that it reads.
        is_weight: Whether it is a constant weight.
        quantizer: The quantizer; None without one.
    """

    port: int
    source: str
    is_weight: bool
    quantizer: StandingQuantizer | None


def standing_quantizers(model: ov.Model) -> dict[str, tuple[OperandQuantizer, ...]]:
    """Quantizers on the inputs of each operation that can be quantized, without constants that are no weights."""
    nodes = unique_names(model)
    name_of = {str(node.get_name()): name for name, node in nodes.items()}
    varying = varying_ops(nodes)
    found = {}
    for name, node in nodes.items():
        row = operation(node.get_type_name())
        if not row.quantized and not row.weight_ports:
            continue
        operands = []
        for port in row.ports(NumberKind.INT) or range(node.get_input_size()):
            value = node.input_value(port)
            source = name_of[str(value.get_node().get_name())]
            is_weight = source not in varying and port in row.weight_ports
            is_data = source in varying and row.quantized
            if value.get_element_type().get_type_name() in FLOAT_TYPES and (is_data or is_weight):
                quantizer = _above(value, varying, name_of)
                operands.append(
                    OperandQuantizer(port, source, is_weight, None if quantizer is None else _described(quantizer))
                )
        if operands:
            found[name] = tuple(operands)
    return found


def stores_weights_alone(model: ov.Model) -> bool:
    """Whether a layer computes in float with a weight that is quantized.

    1. The weight has floating point numbers of 8 bits or fewer.
    2. The weight has integers, and no other input of its layer has a quantizer.
    """
    for operands in standing_quantizers(model).values():
        weights = [operand.quantizer for operand in operands if operand.is_weight and operand.quantizer is not None]
        data = [operand.quantizer for operand in operands if not operand.is_weight]
        if any(weight.is_float for weight in weights) or (weights and data and not any(data)):
            return True
    return False


def varying_ops(nodes: Mapping[str, ov.Node]) -> set[str]:
    """Operations whose values depend on a model input or on state, and not only on shapes."""
    own: dict[str, bool] = {}
    for node in nodes.values():
        kind = node.get_type_name()
        reads = any(own[str(value.get_node().get_name())] for value in node.input_values())
        own[str(node.get_name())] = kind in {"Parameter", "ReadValue"} or (reads and kind != "ShapeOf")
    return {name for name, node in nodes.items() if own[str(node.get_name())]}


def dequantized(node: ov.Node) -> ov.Output | None:
    """The values that a chain of Convert, Subtract and Multiply turns into floats, if it ends in a node.

    Returns:
        Integers, or floating point numbers of 8 bits or fewer, which are stored, or to which the model itself rounded;
        None if no such chain ends here.
    """
    while operation(node.get_type_name()).dequantizes:
        if stored_constant(node.input_value(1)) is None:
            return None
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Convert" or node.get_element_type().get_type_name() not in FLOAT_TYPES:
        return None
    value = node.input_value(0)
    narrow = value.get_element_type().get_type_name() in NARROW_TYPES
    return value if narrow and value.get_node().get_type_name() in {"Constant", "Convert"} else None


def _above(value: ov.Output, varying: set[str], name_of: Mapping[str, str]) -> ov.Node | None:
    """The quantizer that gave the numbers of a value; operations that only move values are passed."""
    node = value.get_node()
    kind, row = node.get_type_name(), operation(node.get_type_name())
    if row.quantizer or dequantized(node) is not None:
        return node
    if not row.moves and not row.wraps_weight:
        return None
    read = [v for v in node.input_values() if v.get_element_type().get_type_name() in FLOAT_TYPES]
    moved = [v for v in read if kind == "Concat" or name_of[str(v.get_node().get_name())] in varying] or read[:1]
    quantizers = [_above(v, varying, name_of) for v in moved]
    return None if not quantizers or None in quantizers else quantizers[0]


def _described(node: ov.Node) -> StandingQuantizer:
    kind = node.get_type_name()
    if kind == "FakeConvert":
        scale = _constant(node.input_value(1))
        levels = 2 ** getattr(ov.Type, node.get_attributes()["destination_type"]).bitwidth
        per_channel = scale is not None and scale.size > 1
        return StandingQuantizer(levels, symmetric=True, per_channel=per_channel, is_float=True)
    if kind == "FakeQuantize":
        return _fake_quantize(node)
    return _dequantization(node)


def _fake_quantize(node: ov.Node) -> StandingQuantizer:
    levels = int(node.get_attributes()["levels"])
    low, high = _constant(node.input_value(1)), _constant(node.input_value(2))
    if low is None or high is None:
        return StandingQuantizer(levels, symmetric=False, per_channel=False, is_float=False)
    # Signed integers have one more level below zero than above it.
    symmetric = bool(np.all(np.abs(low + high) <= 1.01 * (high - low) / (levels - 1)))
    return StandingQuantizer(levels, symmetric, per_channel=max(low.size, high.size) > 1, is_float=False)


def _dequantization(node: ov.Node) -> StandingQuantizer:
    symmetric, channels = True, 1
    stored = dequantized(node)
    assert stored is not None  # noqa: S101  # it is what _above looks for
    kind = stored.get_element_type()
    middle = 0 if kind.is_signed() else 2 ** (kind.bitwidth - 1)
    shifted = False
    while operation(node.get_type_name()).dequantizes:
        constant = _constant(node.input_value(1))
        assert constant is not None  # noqa: S101  # dequantized() says so
        channels = max(channels, constant.size)
        if node.get_type_name() == "Subtract":
            shifted, symmetric = True, bool(np.all(constant == middle))
        node = node.input_value(0).get_node()
    is_float = kind.get_type_name().startswith(("f", "nf"))
    symmetric = symmetric and (shifted or middle == 0 or is_float)
    return StandingQuantizer(2**kind.bitwidth, symmetric, per_channel=channels > 1, is_float=is_float)


def _constant(value: ov.Output) -> NDArray[np.float64] | None:
    """The numbers of a constant; None for other values."""
    node = stored_constant(value)
    if node is None:
        return None
    kind = node.get_element_type()
    data = node.data if kind.bitwidth >= 8 else unpack_data(node.data, kind, node.get_output_shape(0))
    return np.asarray(data, np.float64)
