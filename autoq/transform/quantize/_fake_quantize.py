"""Puts quantizers into a model.

requires: a clone of the model that the quantizers were resolved for.
ensures: the consumers of a quantizer read it, and all other readers of the tensor read the float tensor. Folded weights
    are stored in 8 bits, with Convert, Subtract and Multiply after them; other weights are float constants with a
    FakeQuantize after them. Both give the same numbers.

In 8-bit floating point, a FakeConvert takes the place of a FakeQuantize.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops
from openvino.op import Constant

from autoq.core import FloatArray, Fp8Scale
from autoq.graph import SiteKind, Tensor, float_constant
from autoq.transform.quantize._resolved import ResolvedQuantizer


@dataclass(frozen=True, slots=True)
class Folded:
    """A stored weight with 8 bits for each value: `(data - zero_point) * scale`.

    Attributes:
        data: int8 or uint8 integers, or the bytes of 8-bit floating point numbers.
        storage: OpenVINO type of the stored numbers.
        scale: Broadcastable to `data`.
        zero_point: uint8, like `scale`; None is zero.
    """

    data: NDArray[np.int8] | NDArray[np.uint8]
    storage: str
    scale: FloatArray
    zero_point: NDArray[np.uint8] | None = None


def insert_activations(
    nodes: Mapping[str, ov.Node], quantizers: Iterable[ResolvedQuantizer], divided: Mapping[Tensor, ov.Output]
) -> None:
    """Puts a quantizer on every quantized activation.

    Args:
        nodes: Operations of the clone.
        quantizers: Quantizers of the activations.
        divided: Divided outputs, which smoothed quantizers read instead of their tensors.
    """
    for quantizer in quantizers:
        if quantizer.kind is not SiteKind.ACTIVATION:
            continue
        source = nodes[quantizer.tensor.producer].output(quantizer.tensor.port)
        if quantizer.smoothed:
            source = divided[quantizer.tensor]
        readers = readers_of(source)
        fake = quantizer_node(source, quantizer)
        for op, port in quantizer.consumers:
            if op in nodes and (nodes[op].get_name(), port) in readers:
                nodes[op].input(port).replace_source_output(fake.output(0))


def insert_weights(
    nodes: Mapping[str, ov.Node],
    quantizers: Iterable[ResolvedQuantizer],
    folded: Callable[[ResolvedQuantizer], Folded | None] | None,
    smoothed: Callable[[ResolvedQuantizer], FloatArray | None],
) -> None:
    """Quantizes weights.

    Args:
        nodes: Operations of the clone.
        quantizers: Quantizers of the weights.
        folded: Gives the weight of a quantizer in 8 bits, or None if 8 bits cannot hold it. If `folded` is None, all
            weights stay in float with their quantizers after them.
        smoothed: Float weight by quantizer, if SmoothQuant changed it.
    """
    for quantizer in quantizers:
        if quantizer.kind is not SiteKind.WEIGHT:
            continue
        source = nodes[quantizer.tensor.producer].output(quantizer.tensor.port)
        stored = None if folded is None else folded(quantizer)
        if stored is not None:
            quantized = _folded(source, node_name(quantizer), stored)
        else:
            if (value := smoothed(quantizer)) is not None:
                source = float_node(value, source.get_element_type(), f"{quantizer.name}/smoothed").output(0)
            quantized = quantizer_node(source, quantizer)
        for op, port in quantizer.consumers:
            nodes[op].input(port).replace_source_output(quantized.output(0))


def node_name(quantizer: ResolvedQuantizer) -> str:
    """Name of a quantizer's operation. It is NNCF's name, with `fc` for a FakeConvert."""
    if not isinstance(quantizer.numbers, Fp8Scale):
        return quantizer.name
    op, _, port = quantizer.name.rpartition("/fq_")
    return f"{op}/fc_{port}"


def quantizer_node(source: ov.Output, quantizer: ResolvedQuantizer) -> ov.Node:
    """A FakeQuantize with equal input and output limits; in 8-bit floating point a FakeConvert."""
    numbers, name = quantizer.numbers, node_name(quantizer)

    def constant(value: FloatArray, part: str) -> ov.Node:
        return float_node(value.reshape(quantizer.shape), source.get_element_type(), f"{name}/{part}")

    if isinstance(numbers, Fp8Scale):
        shift = constant(np.zeros_like(numbers.scale), "shift")
        kind = numbers.precision.storage
        fake = ops.fake_convert(source, constant(numbers.scale, "scale"), shift, destination_type=kind)
    else:
        low, high = constant(numbers.low, "low"), constant(numbers.high, "high")
        fake = ops.fake_quantize(source, low, high, low, high, numbers.levels)
    fake.set_friendly_name(name)
    return fake


def float_node(value: NDArray[np.floating], kind: ov.Type, name: str) -> ov.Node:
    """A float constant with a name of its own: OpenVINO would give it a number that differs between models."""
    return _named(float_constant(value, kind), name)


def _folded(source: ov.Output, name: str, stored: Folded) -> ov.Node:
    """Constant (8 bits) -> Convert -> [Subtract] -> Multiply, the form in which plugins expect quantized weights."""
    wanted = source.get_element_type()
    # Half precision would lose digits of scales below its smallest normal number.
    kind = ov.Type.f32 if wanted == ov.Type.f16 and stored.scale.min() < np.finfo(np.float16).tiny else wanted
    constant = _named(_stored_constant(stored), source.get_node().get_friendly_name())
    value = _named(ops.convert(constant, kind.get_type_name()), f"{name}/convert")
    if stored.zero_point is not None:
        zero = _named(ops.constant(stored.zero_point), f"{name}/zero_point")
        zero = _named(ops.convert(zero, kind.get_type_name()), f"{name}/zero_point/convert")
        value = _named(ops.subtract(value, zero), f"{name}/subtract")
    product = _named(ops.multiply(value, float_node(stored.scale, kind, f"{name}/scale")), name)
    return product if kind == wanted else _named(ops.convert(product, wanted.get_type_name()), f"{name}/{wanted}")


def _named(node: ov.Node, name: str) -> ov.Node:
    node.set_friendly_name(name)
    return node


def _stored_constant(stored: Folded) -> ov.Node:
    # NumPy does not have all of these types: the bytes are copied into a tensor.
    tensor = ov.Tensor(getattr(ov.Type, stored.storage), list(stored.data.shape))
    tensor.data[...] = stored.data
    return Constant(tensor)


def readers_of(source: ov.Output) -> set[tuple[str, int]]:
    """OpenVINO's names and input ports of the readers of a tensor."""
    return {(target.get_node().get_name(), target.get_index()) for target in source.get_target_inputs()}
