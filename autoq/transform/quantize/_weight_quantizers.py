"""The quantizers of a candidate's weights: limits, integers and bias shifts, computed once per layer and scheme."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from autoq.calibration import Statistic, Statistics, Tap
from autoq.core import FloatArray, Fp8Scale, OverflowFix, QuantizerLimits, Recipe
from autoq.graph import QuantizationGraph, QuantizerSite, WeightedLayer, operation
from autoq.transform.quantize._bias_correction import acceptable, bias_shift, channel_means
from autoq.transform.quantize._fake_quantize import Folded
from autoq.transform.quantize._resolved import ResolvedQuantizer, Smoothing, resolve_site
from autoq.transform.quantize._smooth_quant import smoothed_weight, summed_axis
from autoq.transform.quantize._weight_ranges import folded_weight, limits_rule, quantized_weight, weight_numbers
from autoq.transform.quantize._weights import FloatWeights


class WeightQuantizers:
    """Numbers of the quantizers of weights, and of the biases after them.

    Args:
        weights: Weights of the float model.
        statistics: Channel means of the layers' inputs, for bias shifts.
    """

    def __init__(self, weights: FloatWeights, statistics: Statistics) -> None:
        self._weights = weights
        self._statistics = statistics
        self._numbers: dict[object, QuantizerLimits | Fp8Scale] = {}
        self._folded: dict[object, Folded | None] = {}
        self._shifts: dict[object, FloatArray | None] = {}

    def quantizer(
        self,
        site: QuantizerSite,
        smoothed: tuple[Smoothing, ...],
        layers: Mapping[str, WeightedLayer],
        recipe: Recipe,
    ) -> ResolvedQuantizer:
        """The quantizer of a weight under a recipe, with SmoothQuant."""
        smoothing, layer = _smoothing_of(site, smoothed, layers)
        scheme = recipe.activations if site.full_range else recipe.weights
        symmetric = recipe.symmetric if site.full_range else scheme.symmetric is not False
        halved = recipe.overflow_fix is OverflowFix.ENABLE and self._can_overflow(site)
        halved = halved or (recipe.overflow_fix is OverflowFix.FIRST_LAYER and site.first_layer)
        per_tensor = recipe.weights.per_channel is False or site.full_range
        axes = () if per_tensor else site.channel_axes
        key = (
            *(site.name, axes, site.full_range, halved, recipe.mode, scheme, symmetric, recipe.weight_range_estimator),
            None if smoothing is None else smoothing.scale.tobytes(),
        )
        if key not in self._numbers:
            bits = scheme.width(recipe.mode)
            self._numbers[key] = weight_numbers(
                self._value(site, smoothing, layer),
                axes,
                estimator=recipe.weight_range_estimator,
                mode=recipe.mode,
                rule=limits_rule(
                    scheme,
                    bits,
                    symmetric=symmetric,
                    halved=halved,
                    full_range=site.full_range,
                    multiplied=self._is_multiplied(site),
                ),
                symmetric=symmetric,
                per_tensor=per_tensor,
            )
        return resolve_site(site, self._numbers[key], per_tensor=per_tensor)

    def _is_multiplied(self, site: QuantizerSite) -> bool:
        """Whether a layer multiplies by a weight: one may do so by a table that others look up."""
        types = (self._weights.node(op).get_type_name() for op, _ in site.consumers)
        return any(operation(kind).sums_products for kind in types)

    def _can_overflow(self, site: QuantizerSite) -> bool:
        kind = self._weights.node(site.consumers[0][0]).get_type_name()
        # A depthwise kernel sums too few products to overflow.
        depthwise = kind == "GroupConvolution" and site.shape[0] > 1 and site.shape[2] == 1
        return operation(kind).sums_products and not depthwise

    def smoothed_value(
        self, quantizer: ResolvedQuantizer, graph: QuantizationGraph, smoothed: tuple[Smoothing, ...]
    ) -> FloatArray | None:
        """The float weight of a quantizer if SmoothQuant changes it, otherwise None."""
        site = graph.site[quantizer.name]
        smoothing, layer = _smoothing_of(site, smoothed, {layer.op: layer for layer in graph.layers})
        return None if smoothing is None else self._value(site, smoothing, layer)

    def values(
        self, quantizer: ResolvedQuantizer, graph: QuantizationGraph, smoothed: tuple[Smoothing, ...]
    ) -> tuple[FloatArray, FloatArray]:
        """The float weight of a quantizer, with SmoothQuant, and its quantized weight."""
        site = graph.site[quantizer.name]
        smoothing, layer = _smoothing_of(site, smoothed, {layer.op: layer for layer in graph.layers})
        value = self._value(site, smoothing, layer)
        return value, quantized_weight(value, quantizer.numbers, quantizer.shape)

    def folded(
        self, quantizer: ResolvedQuantizer, graph: QuantizationGraph, smoothed: tuple[Smoothing, ...]
    ) -> Folded | None:
        """The stored weight of a quantizer; None if eight bits cannot hold it."""
        site = graph.site[quantizer.name]
        smoothing, layer = _smoothing_of(site, smoothed, {layer.op: layer for layer in graph.layers})
        key = (site.name, quantizer.numbers.identity, None if smoothing is None else smoothing.scale.tobytes())
        if key not in self._folded:
            value = self._value(site, smoothing, layer)
            self._folded[key] = folded_weight(value, quantizer.numbers, quantizer.shape)
        return self._folded[key]

    def _value(self, site: QuantizerSite, smoothing: Smoothing | None, layer: WeightedLayer | None) -> FloatArray:
        """The float weight of a site, smoothed."""
        value = self._weights.value(site.tensor.producer)
        if smoothing is None or layer is None:
            return value
        return smoothed_weight(value, summed_axis(layer, site), smoothing.scale)

    def shift(
        self, layer: WeightedLayer, site: QuantizerSite, smoothed: tuple[Smoothing, ...], recipe: Recipe
    ) -> FloatArray | None:
        """Bias shift of a layer; None without bias or statistics, and if the shift is too large for the bias."""
        if layer.bias_add is None or layer.bias is None:
            return None
        quantizer = self.quantizer(site, smoothed, {layer.op: layer}, recipe)
        smoothing, _ = _smoothing_of(site, smoothed, {layer.op: layer})
        scale = None if smoothing is None else smoothing.scale.tobytes()
        key = (layer.op, quantizer.numbers.identity, recipe.subset_size, scale)
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
        value = self._value(site, smoothing, layer)
        if smoothing is not None:
            x = x / smoothing.scale
        error = value - quantized_weight(value, quantizer.numbers, quantizer.shape)
        node = self._weights.node(layer.op)
        shift = bias_shift(node, layer, error, x.astype(np.float32))
        if shift is None:
            return None
        bias = channel_means(self._weights.value(layer.bias), node, layer, shift.size)
        return shift if acceptable(shift, bias) else None


def _smoothing_of(
    site: QuantizerSite, smoothed: tuple[Smoothing, ...], layers: Mapping[str, WeightedLayer]
) -> tuple[Smoothing | None, WeightedLayer | None]:
    readers = {op for op, _ in site.consumers}
    for smoothing in smoothed:
        for op in smoothing.layers:
            if op in readers and op in layers:
                return smoothing, layers[op]
    return None, None
