"""Puts quantizers into a model.

requires: a clone of the model that the quantizers were resolved for.
ensures: every consumer of a quantizer reads it and every other reader of the tensor reads the float tensor; weights are
    stored as signed 8-bit integers behind Convert and Multiply where they are folded, as float constants behind a
    FakeQuantize where they are not: both are the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.core import FloatArray
from autoq.graph import SiteKind, Tensor
from autoq.transform._resolved import ResolvedQuantizer


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
    integers: Callable[[ResolvedQuantizer], tuple[NDArray[np.int8], FloatArray]] | None,
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
            quantized = _folded(source, *integers(quantizer))
        else:
            if quantizer.name in smoothed:
                source = ops.constant(smoothed[quantizer.name]).output(0)
            quantized = fake_quantize_node(source, quantizer)
        for op, port in quantizer.consumers:
            nodes[op].input(port).replace_source_output(quantized.output(0))


def fake_quantize_node(source: ov.Output, quantizer: ResolvedQuantizer) -> ov.Node:
    """A FakeQuantize with equal input and output limits."""
    low, high = (
        ops.constant(limit.reshape(quantizer.shape)) for limit in (quantizer.limits.low, quantizer.limits.high)
    )
    fake = ops.fake_quantize(source, low, high, low, high, quantizer.limits.levels)
    fake.set_friendly_name(quantizer.name)
    return fake


def _folded(source: ov.Output, integers: NDArray[np.int8], scale: FloatArray) -> ov.Node:
    """Constant(i8) -> Convert -> Multiply, the form in which plugins expect quantized weights."""
    constant = ops.constant(integers)
    constant.set_friendly_name(source.get_node().get_friendly_name())
    return ops.multiply(ops.convert(constant, "f32"), ops.constant(scale))


def _readers(source: ov.Output) -> set[tuple[str, int]]:
    return {(target.get_node().get_name(), target.get_index()) for target in source.get_target_inputs()}
