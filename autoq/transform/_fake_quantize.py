"""Puts quantizers into a model.

requires: a clone of the model that the quantizers were resolved for.
ensures: every consumer of a quantizer reads it and every other reader of the tensor reads the float tensor; weights are
    stored as signed 8-bit integers behind Convert and Multiply where they are folded, as float constants behind a
    FakeQuantize where they are not: both are the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.core import FloatArray
from autoq.graph import SiteKind, Tensor
from autoq.transform._resolved import ResolvedQuantizer

Integers = NDArray[np.int8] | NDArray[np.uint8]


def insert_activations(
    nodes: Mapping[str, ov.Node], quantizers: Iterable[ResolvedQuantizer], divided: Mapping[Tensor, ov.Output]
) -> None:
    """Puts a FakeQuantize on every quantized activation.

    Args:
        nodes: Operations of the clone.
        quantizers: Those of the activations.
        divided: What smoothed quantizers read instead of their tensor.
    """
    for quantizer in quantizers:
        if quantizer.kind is not SiteKind.ACTIVATION:
            continue
        source = nodes[quantizer.tensor.producer].output(quantizer.tensor.port)
        if quantizer.smoothed:
            source = divided[quantizer.tensor]
        readers = _readers(source)
        fake = fake_quantize_node(source, quantizer)
        for op, port in quantizer.consumers:
            if op in nodes and (nodes[op].get_name(), port) in readers:
                nodes[op].input(port).replace_source_output(fake.output(0))


def insert_weights(
    nodes: Mapping[str, ov.Node],
    quantizers: Iterable[ResolvedQuantizer],
    integers: Callable[[ResolvedQuantizer], tuple[Integers, FloatArray]] | None,
    smoothed: Mapping[str, FloatArray],
) -> None:
    """Quantizes weights.

    Args:
        nodes: Operations of the clone.
        quantizers: Those of the weights.
        integers: Integer weight and scale of a quantizer; None keeps the float weight behind a FakeQuantize.
        smoothed: Float weight by quantizer, where SmoothQuant changed it.
    """
    for quantizer in quantizers:
        if quantizer.kind is not SiteKind.WEIGHT:
            continue
        source = nodes[quantizer.tensor.producer].output(quantizer.tensor.port)
        if integers is not None:
            quantized = _folded(source, quantizer.name, *integers(quantizer))
        else:
            if quantizer.name in smoothed:
                source = named_constant(smoothed[quantizer.name], f"{quantizer.name}/smoothed").output(0)
            quantized = fake_quantize_node(source, quantizer)
        for op, port in quantizer.consumers:
            nodes[op].input(port).replace_source_output(quantized.output(0))


def fake_quantize_node(source: ov.Output, quantizer: ResolvedQuantizer) -> ov.Node:
    """A FakeQuantize with equal input and output limits."""
    limits = quantizer.limits
    low, high = (
        named_constant(limit.reshape(quantizer.shape), f"{quantizer.name}/{end}")
        for end, limit in (("low", limits.low), ("high", limits.high))
    )
    fake = ops.fake_quantize(source, low, high, low, high, limits.levels)
    fake.set_friendly_name(quantizer.name)
    return fake


def named_constant(value: NDArray[Any], name: str) -> ov.Node:
    """A constant with a name of ours: OpenVINO would number it, differently in every model it builds."""
    constant = ops.constant(value)
    constant.set_friendly_name(name)
    return constant


def _folded(source: ov.Output, name: str, integers: Integers, scale: FloatArray) -> ov.Node:
    """Constant(i8) -> Convert -> Multiply, the form in which plugins expect quantized weights."""
    constant = named_constant(integers, source.get_node().get_friendly_name())
    converted = ops.convert(constant, "f32")
    converted.set_friendly_name(f"{name}/convert")
    product = ops.multiply(converted, named_constant(scale, f"{name}/scale"))
    product.set_friendly_name(name)
    return product


def _readers(source: ov.Output) -> set[tuple[str, int]]:
    return {(target.get_node().get_name(), target.get_index()) for target in source.get_target_inputs()}
