"""Channel alignment: makes the ranges of the channels between two convolutions equal.

requires: a convolution whose output (after its bias) is read by one other convolution only. That one has one group,
    stride and dilation 1, and no padding, so that a constant shift of its input is a constant shift of its output;
    quantiles per channel of the tensor between them.
ensures: the float function of the model is unchanged; each channel of the tensor is centred at zero, and has the range
    of the median channel, changed at most by a factor of 100.

| name  | meaning                                                        | shape      |
|-------|----------------------------------------------------------------|------------|
| mid   | middle of the range of each channel                            | [channels] |
| s     | range of each channel over the median of all ranges            | [channels] |

The first layer becomes `W / s`, `(b - mid) / s`, the second `W * s`, `b + sum over taps of W @ mid`. The range is the
median over the samples of the quantiles 1e-4 and 1 - 1e-4, as in NNCF 3.4. NNCF also aligns a matrix product with a
convolution, although its channels are on another axis.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.calibration import Statistics, alignment_taps
from autoq.graph import QuantizationGraph, WeightedLayer, unique_names
from autoq.transform.quantize._bias_correction import by_channel
from autoq.transform.quantize._fake_quantize import float_node
from autoq.transform.quantize._weights import FloatWeights

_BOUND = 100.0
_EPS = np.finfo(np.float32).eps

Float64 = NDArray[np.float64]


def align_channels(model: ov.Model, graph: QuantizationGraph, statistics: Statistics, subset_size: int) -> ov.Model:
    """A model with the same function, and with equal ranges of the channels between convolutions.

    Args:
        model: The float model; never modified.
        graph: Its placement, which names the pairs.
        statistics: Hold the quantiles of the tensors between the pairs.
        subset_size: Number of samples used.

    Returns:
        A new model.
    """
    float_weights = FloatWeights(model)
    weights: dict[str, Float64] = {}
    # Biases have the rank of the layers' outputs, as their Adds read them.
    biases: dict[str, Float64] = {}
    layers: dict[str, WeightedLayer] = {}
    for pair in graph.alignable:
        for layer in pair:
            if layer.op not in layers:
                layers[layer.op] = layer
                weights[layer.op] = float_weights.value(graph.site[layer.weight].tensor.producer).astype(np.float64)
                node = float_weights.node(layer.op)
                channels = int(node.output(0).get_partial_shape()[1].get_length())
                biases[layer.op] = by_channel(np.zeros(channels), node, layer)
                if layer.bias is not None:
                    biases[layer.op] = biases[layer.op] + float_weights.value(layer.bias)
    for first, second in graph.alignable:
        low, high = (np.median(statistics.of(tap, subset_size), axis=0) for tap in alignment_taps(first))
        mid, scale = (low + high) / 2, _scale(high - low)
        inputs = weights[second.op]
        moved = inputs.sum(axis=tuple(range(2, inputs.ndim))) @ mid
        biases[second.op] = biases[second.op] + _along(moved, 1, inputs.ndim)
        weights[second.op] = inputs * _along(scale, 1, inputs.ndim)
        outputs = weights[first.op]
        grouped = scale.reshape(outputs.shape[:2]) if first.type == "GroupConvolution" else scale
        weights[first.op] = outputs / grouped.reshape(*grouped.shape, *[1] * (outputs.ndim - grouped.ndim))
        biases[first.op] = (biases[first.op] - _along(mid, 1, inputs.ndim)) / _along(scale, 1, inputs.ndim)
    return _rebuilt(model, layers, weights, biases)


def _scale(widths: NDArray[np.floating]) -> Float64:
    """The divisor of each channel; it is 1 for channels without a range."""
    wide = widths > _EPS
    if not wide.any():
        return np.ones(widths.shape)
    scale = np.where(wide, widths / np.median(widths[wide]), 1)
    return np.asarray(np.clip(scale, 1 / _BOUND, _BOUND), np.float64)


def _along(values: Float64, axis: int, rank: int) -> Float64:
    return values.reshape([-1 if place == axis else 1 for place in range(rank)])


def _rebuilt(
    model: ov.Model, layers: Mapping[str, WeightedLayer], weights: Mapping[str, Float64], biases: Mapping[str, Float64]
) -> ov.Model:
    clone = model.clone()
    nodes = unique_names(clone)
    for op, layer in layers.items():
        node = nodes[op]
        kind = node.get_output_element_type(0)
        node.input(layer.weight_port).replace_source_output(float_node(weights[op], kind, f"{op}/aligned").output(0))
        constant = float_node(biases[op], kind, f"{op}/aligned_bias").output(0)
        if layer.bias_add is not None and layer.bias_port is not None:
            nodes[layer.bias_add].input(layer.bias_port).replace_source_output(constant)
            continue
        readers = list(node.output(0).get_target_inputs())
        added = ops.add(node.output(0), constant)
        added.set_friendly_name(f"{op}/bias")
        for reader in readers:
            reader.replace_source_output(added.output(0))
    clone.validate_nodes_and_infer_types()
    return clone
