"""SmoothQuant: moves differences between the channels of an activation into the weights of its MatMuls.

requires: per-channel extremes of the activation; each smoothed reader is a MatMul with a constant weight that has no
    other reader; the quantizers of its activation serve only MatMuls that read the same tensor.
ensures: the float function of the model is unchanged; one activation quantizer for the MatMuls stands after the
    division.

| name  | meaning                                           | shape      |
|-------|---------------------------------------------------|------------|
| a     | largest magnitude of each activation channel      | [channels] |
| w     | largest magnitude of each weight input channel    | [channels] |
| alpha | migration strength                                | scalar     |
| s     | a^alpha / w^(1 - alpha), what a is divided by     | [channels] |

Xiao et al., "SmoothQuant", 2023, equation 4, with the clipping of NNCF 3.4: a and w are at least 1e-5; s is at least
its own 10% quantile, and at most 100. If a tensor has several readers, the one with the most even s decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from autoq.calibration import Statistic, Statistics, Tap
from autoq.core import FloatArray
from autoq.graph import QuantizerSite, Tensor, WeightedLayer
from autoq.transform.quantize._fake_quantize import float_node
from autoq.transform.quantize._resolved import Smoothing
from autoq.transform.quantize._weights import FloatWeights

_FLOOR = 1e-5
_QUANTILE = 0.1
_CEILING = 100.0


def smoothings(
    layers: Iterable[WeightedLayer],
    sites: Mapping[str, QuantizerSite],
    activations: Mapping[str, Sequence[QuantizerSite]],
    weights: FloatWeights,
    statistics: Statistics,
    *,
    alphas: Mapping[str, float | None],
    subset_size: int,
) -> tuple[Smoothing, ...]:
    """Scales for every activation that can be smoothed.

    Args:
        layers: Weighted layers with a standing weight site.
        sites: Standing sites by name.
        activations: Standing activation sites by the operation that they serve.
        weights: The float weights.
        statistics: Statistics with the extremes of the activations per channel.
        alphas: Migration strength in [0, 1] by weight site. None does not smooth its layer, nor other layers that read
            the same tensor.
        subset_size: Number of samples used.
    """
    readers: dict[tuple[Tensor, int], list[WeightedLayer]] = {}
    for layer in layers:
        # A weight with other readers, such as a language model's embedding table, would be scaled for them too.
        own = layer.weight in sites and len(sites[layer.weight].consumers) == 1
        if layer.type == "MatMul" and own and activations.get(layer.op):
            readers.setdefault((layer.input, layer.input_axis), []).append(layer)
    found = []
    for (tensor, axis), group in readers.items():
        ops_read = {layer.op for layer in group}
        served = {sink for layer in group for site in activations[layer.op] for sink in site.sinks}
        if served != ops_read or Tap(tensor, axis, Statistic.MAX) not in statistics:
            continue
        strengths = [alpha for layer in group if (alpha := alphas[layer.weight]) is not None]
        if len(strengths) < len(group):
            continue
        minimum, maximum = statistics.extremes(tensor, axis, subset_size)
        magnitude = np.maximum(np.abs(minimum), np.abs(maximum)).max(axis=0)
        candidates = [
            _scale(magnitude, input_magnitude(weights, layer, sites[layer.weight]), alpha)
            for layer, alpha in zip(group, strengths, strict=True)
        ]
        scale = max(candidates, key=lambda s: float(s.min() / s.max()))
        rank = len(weights.node(tensor.producer).output(tensor.port).get_partial_shape())
        shape = [1] * rank
        shape[axis] = scale.size
        found.append(Smoothing(tensor, tuple(sorted(ops_read)), scale, tuple(shape)))
    return tuple(found)


def _scale(a: FloatArray, w: FloatArray, alpha: float) -> FloatArray:
    a, w = np.maximum(a, _FLOOR), np.maximum(w, _FLOOR)
    s = a**alpha / (w ** (1 - alpha) + np.finfo(np.float32).eps)
    return np.clip(s, np.quantile(s, _QUANTILE), _CEILING).astype(np.float32)


def summed_axis(layer: WeightedLayer, site: QuantizerSite) -> int:
    """Axis of the input channels of a MatMul's weight, over which it sums."""
    return next(axis for axis in range(len(site.shape)) if axis not in _channels(layer, site))


def _channels(layer: WeightedLayer, site: QuantizerSite) -> tuple[int, ...]:
    if len(site.channel_axes) == len(site.shape) - 1:
        return site.channel_axes
    msg = f"{layer.op!r}: the weight of shape {site.shape} has channels on axes {site.channel_axes}."
    raise ValueError(msg)


def input_magnitude(weights: FloatWeights, layer: WeightedLayer, site: QuantizerSite) -> FloatArray:
    """Largest magnitude of each input channel of a MatMul's weight, [channels]."""
    value = np.abs(weights.value(site.tensor.producer))
    kept = summed_axis(layer, site)
    return np.asarray(value.max(axis=tuple(axis for axis in range(value.ndim) if axis != kept)), np.float32)


def smoothed_weight(value: FloatArray, axis: int, scale: FloatArray) -> FloatArray:
    """A weight with each input channel multiplied by its scale."""
    shape = [1] * value.ndim
    shape[axis] = scale.size
    return value * scale.reshape(shape)


def insert_divisions(nodes: Mapping[str, ov.Node], found: Iterable[Smoothing]) -> dict[Tensor, ov.Output]:
    """Puts a Multiply by 1/scale after each smoothed tensor, which the MatMuls then read.

    Returns:
        The divided output by tensor.
    """
    divided: dict[Tensor, ov.Output] = {}
    for smoothing in found:
        output = nodes[smoothing.tensor.producer].output(smoothing.tensor.port)
        name = f"{smoothing.tensor.producer}/smooth_quant_{smoothing.tensor.port}"
        factor = (1 / smoothing.scale).reshape(smoothing.shape)
        multiply = ops.multiply(output, float_node(factor, output.get_element_type(), f"{name}/factor"))
        multiply.set_friendly_name(name)
        divided[smoothing.tensor] = multiply.output(0)
        names = {nodes[layer].get_name() for layer in smoothing.layers}
        for target in output.get_target_inputs():
            if target.get_node().get_name() in names:
                target.replace_source_output(multiply.output(0))
    return divided
