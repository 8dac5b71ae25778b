"""The weight side of a candidate: limits, integers and bias shifts, each computed once per layer and scheme."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from autoq.calibration import Statistic, Statistics, Tap
from autoq.core import FloatArray, Limits, OverflowFix, Recipe, half_range_limits, quantization_level, symmetric_limits
from autoq.graph import QuantizationGraph, QuantizerSite, WeightedLayer
from autoq.transform._bias_correction import acceptable, bias_shift
from autoq.transform._fake_quantize import Integers
from autoq.transform._resolved import ResolvedQuantizer, Smoothing, resolve_site
from autoq.transform._smooth_quant import smoothed_weight, summed_axis
from autoq.transform._weights import FloatWeights, channel_extremes

# What the overflow fix can halve: only these multiply u8 activations by i8 weights.
_CAN_OVERFLOW = frozenset(
    {"Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData", "MatMul"}
)


class WeightQuantizers:
    """Numbers of quantized weights and of the biases behind them.

    Args:
        weights: Of the float model.
        statistics: Channel means of the layers' inputs, for bias shifts.
    """

    def __init__(self, weights: FloatWeights, statistics: Statistics) -> None:
        self._weights = weights
        self._statistics = statistics
        self._limits: dict[object, Limits] = {}
        self._integers: dict[object, tuple[Integers, FloatArray]] = {}
        self._shifts: dict[object, FloatArray | None] = {}

    def quantizer(
        self,
        site: QuantizerSite,
        smoothed: tuple[Smoothing, ...],
        layers: Mapping[str, WeightedLayer],
        recipe: Recipe,
    ) -> ResolvedQuantizer:
        """The quantizer of a weight under a recipe, SmoothQuant included."""
        smoothing, layer = _smoothing_of(site, smoothed, layers)
        halved = recipe.overflow_fix is OverflowFix.ENABLE and self._can_overflow(site)
        halved = halved or (recipe.overflow_fix is OverflowFix.FIRST_LAYER and site.first_layer)
        key = (site.name, site.channel_axes, halved, None if smoothing is None else smoothing.scale.tobytes())
        if key not in self._limits:
            if smoothing is None or layer is None:
                low, high = self._weights.extremes(site)
            else:
                value = self._weights.value(site.tensor.producer)
                value = smoothed_weight(value, summed_axis(layer, site), smoothing.scale)
                low, high = channel_extremes(value, site.channel_axes)
            rule = symmetric_limits if site.full_range else half_range_limits if halved else _weight_limits
            self._limits[key] = rule(low, high)
        return resolve_site(site, self._limits[key])

    def _can_overflow(self, site: QuantizerSite) -> bool:
        kind = self._weights.node(site.consumers[0][0]).get_type_name()
        # A depthwise kernel sums too few products.
        depthwise = kind == "GroupConvolution" and site.shape[0] > 1 and site.shape[2] == 1
        return kind in _CAN_OVERFLOW and not depthwise

    def smoothed_values(self, graph: QuantizationGraph, smoothed: tuple[Smoothing, ...]) -> dict[str, FloatArray]:
        """Float weight of every site that SmoothQuant changes."""
        layers = {layer.op: layer for layer in graph.layers}
        found = {}
        for smoothing in smoothed:
            for op in smoothing.layers:
                site = graph.site[layers[op].weight]
                value = self._weights.value(site.tensor.producer)
                found[site.name] = smoothed_weight(value, summed_axis(layers[op], site), smoothing.scale)
        return found

    def integers(self, quantizer: ResolvedQuantizer, scaled: FloatArray | None) -> tuple[Integers, FloatArray]:
        """The weight of a quantizer as integers, and their scale; `scaled` replaces the float weight."""
        limits = quantizer.limits
        key = (quantizer.name, limits.low.tobytes(), limits.high.tobytes(), scaled is not None)
        if key not in self._integers:
            value = self._weights.value(quantizer.tensor.producer) if scaled is None else scaled
            self._integers[key] = to_integers(value, limits, quantizer.shape)
        return self._integers[key]

    def shift(
        self, layer: WeightedLayer, site: QuantizerSite, smoothed: tuple[Smoothing, ...], recipe: Recipe
    ) -> FloatArray | None:
        """Bias shift of a layer; None where there is no bias, no statistics, or the shift is out of proportion."""
        if layer.bias_add is None or layer.bias is None:
            return None
        quantizer = self.quantizer(site, smoothed, {layer.op: layer}, recipe)
        smoothing, _ = _smoothing_of(site, smoothed, {layer.op: layer})
        scale = None if smoothing is None else smoothing.scale.tobytes()
        key = (layer.op, quantizer.limits.high.tobytes(), recipe.subset_size, scale)
        if key not in self._shifts:
            self._shifts[key] = self._compute_shift(layer, site, quantizer, smoothing, recipe.subset_size)
        return self._shifts[key]

    def _compute_shift(
        self,
        layer: WeightedLayer,
        site: QuantizerSite,
        quantizer: ResolvedQuantizer,
        smoothing: Smoothing | None,
        subset_size: int,
    ) -> FloatArray | None:
        inputs = Tap(layer.input, layer.input_axis, Statistic.MEAN)
        if inputs not in self._statistics or layer.bias is None:
            return None
        x = self._statistics.of(inputs, subset_size).mean(axis=0, dtype=np.float64)
        bias = self._weights.value(layer.bias).reshape(-1)
        value = self._weights.value(quantizer.tensor.producer)
        if smoothing is not None:
            x = x / smoothing.scale
            value = smoothed_weight(value, summed_axis(layer, site), smoothing.scale)
        integers, scale = to_integers(value, quantizer.limits, quantizer.shape)
        shift = bias_shift(self._weights.node(layer.op), layer, value - integers * scale, x.astype(np.float32))
        return shift if shift is not None and shift.size == bias.size and acceptable(shift, bias) else None


def to_integers(value: FloatArray, limits: Limits, shape: tuple[int, ...]) -> tuple[Integers, FloatArray]:
    """Rounds a weight as FakeQuantize does, ties to even counted from the lowest level.

    Args:
        value: Float weight.
        limits: Symmetric.
        shape: Of the limits, broadcastable to `value`.

    Returns:
        Integers like `value`, unsigned where the limits begin at zero, and the scale in `shape`.
    """
    low, high = limits.low.reshape(shape), limits.high.reshape(shape)
    scale = ((high - low) / np.float32(limits.levels - 1)).astype(np.float32)
    level = quantization_level(value, low, high, limits.levels)
    if not low.any():
        return level.astype(np.uint8), scale
    return (level - limits.levels // 2).astype(np.int8), scale


def _weight_limits(low: FloatArray, high: FloatArray) -> Limits:
    return symmetric_limits(low, high, narrow_range=True, signed=True)


def _smoothing_of(
    site: QuantizerSite, smoothed: tuple[Smoothing, ...], layers: Mapping[str, WeightedLayer]
) -> tuple[Smoothing | None, WeightedLayer | None]:
    readers = {op for op, _ in site.consumers}
    for smoothing in smoothed:
        for op in smoothing.layers:
            if op in readers and op in layers:
                return smoothing, layers[op]
    return None, None
