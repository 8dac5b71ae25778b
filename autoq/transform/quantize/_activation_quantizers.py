"""The quantizers of a candidate's activations. Each range is computed once from statistics, by its scheme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from autoq.calibration import Statistics, channel_axis, estimate_range, estimator_for, extremes, search_ranges
from autoq.core import (
    FloatArray,
    Fp8Scale,
    QuantizerLimits,
    Recipe,
    asymmetric_limits,
    fp8_scale,
    symmetric_limits,
)
from autoq.graph import QuantizationGraph, QuantizerSite, SiteKind, Tensor, WeightedLayer
from autoq.transform.quantize._resolved import ResolvedQuantizer, Smoothing, resolve_site

Range = tuple[FloatArray, FloatArray]


class ActivationQuantizers:
    """Numbers of the quantizers of activations.

    Args:
        statistics: Statistics of the activations.
    """

    def __init__(self, statistics: Statistics) -> None:
        self._statistics = statistics
        self._numbers: dict[object, QuantizerLimits | Fp8Scale] = {}
        self._searches: dict[object, dict[str, Range]] = {}

    def quantizers(
        self,
        graph: QuantizationGraph,
        sites: Mapping[str, QuantizerSite],
        smoothed: tuple[Smoothing, ...],
        layers: Mapping[str, WeightedLayer],
        recipes: Mapping[str, Recipe],
    ) -> list[ResolvedQuantizer]:
        """The quantizers of activations.

        Args:
            graph: Graph of the sites.
            sites: Standing sites by name.
            smoothed: The divisions of SmoothQuant.
            layers: Standing layers by operation.
            recipes: Recipe by site. If several sites share a quantizer or a range, the recipe of the first one holds.
        """
        by_layer = {op: smoothing for smoothing in smoothed for op in smoothing.layers}
        found: list[ResolvedQuantizer] = []
        merged: set[Tensor] = set()
        for site in sites.values():
            if site.kind is not SiteKind.ACTIVATION or not self._together(site, sites):
                continue
            smoothing = next((by_layer[op] for op in site.sinks if op in by_layer), None)
            if smoothing is None:
                per_tensor = channel_axis(site, recipes[site.name].activations) is None
                found.append(resolve_site(site, self._plain(graph, site, sites, recipes), per_tensor=per_tensor))
            elif smoothing.tensor not in merged:
                # One quantizer after the division serves all readers, wherever their quantizers stood before.
                merged.add(smoothing.tensor)
                found.append(self._divided(site, smoothing, layers, recipes[site.name]))
        return found

    def _plain(
        self,
        graph: QuantizationGraph,
        site: QuantizerSite,
        sites: Mapping[str, QuantizerSite],
        recipes: Mapping[str, Recipe],
    ) -> QuantizerLimits | Fp8Scale:
        together = self._together(site, sites)
        recipe = recipes[together[0].name]
        key = (tuple(s.name for s in together), *_scheme(recipe), recipe.range_estimator, recipe.subset_size)
        if key not in self._numbers:
            symmetric = site.symmetric or recipe.symmetric
            lows, highs = zip(
                *(self._range(graph, member, recipe, symmetric=symmetric) for member in together), strict=True
            )
            per_channel = channel_axis(site, recipe.activations) is not None
            self._numbers[key] = _numbers(
                np.minimum.reduce(lows), np.maximum.reduce(highs), recipe, symmetric=symmetric, per_channel=per_channel
            )
        return self._numbers[key]

    def _together(self, site: QuantizerSite, sites: Mapping[str, QuantizerSite]) -> list[QuantizerSite]:
        """The sites that share the range of one, without those whose range is not known."""
        shared = [site] if site.unified is None else [s for s in sites.values() if s.unified == site.unified]
        return [each for each in shared if each.tensor not in self._statistics.unseen]

    def _divided(
        self, site: QuantizerSite, smoothing: Smoothing, layers: Mapping[str, WeightedLayer], recipe: Recipe
    ) -> ResolvedQuantizer:
        axis = layers[smoothing.layers[0]].input_axis
        minimum, maximum = self._statistics.extremes(smoothing.tensor, axis, recipe.subset_size)
        minimum = (minimum / smoothing.scale).min(axis=1, keepdims=True)
        maximum = (maximum / smoothing.scale).max(axis=1, keepdims=True)
        symmetric = site.symmetric or recipe.symmetric
        estimator = estimator_for(recipe.range_estimator, None, smoothed=True)
        low, high = estimate_range(extremes(minimum, maximum), estimator, symmetric=symmetric)
        return ResolvedQuantizer(
            name=f"{smoothing.tensor.producer}/smooth_quant_{smoothing.tensor.port}/fq_output_0",
            kind=site.kind,
            tensor=smoothing.tensor,
            consumers=tuple((op, 1 - layers[op].weight_port) for op in smoothing.layers),
            numbers=_numbers(low, high, recipe, symmetric=symmetric, per_channel=False),
            shape=(),
            smoothed=True,
        )

    def _range(self, graph: QuantizationGraph, site: QuantizerSite, recipe: Recipe, *, symmetric: bool) -> Range:
        axis = channel_axis(site, recipe.activations)
        estimator = estimator_for(recipe.range_estimator, axis, site.shape)
        if estimator.search is not None:
            return self._searched(graph, recipe)[site.name]
        samples = self._statistics.samples(site.tensor, axis, recipe.subset_size, non_negative=site.non_negative)
        return estimate_range(samples, estimator, symmetric=symmetric)

    def _searched(self, graph: QuantizationGraph, recipe: Recipe) -> dict[str, Range]:
        """Ranges of all activations of a graph with one range per tensor, searched in their histograms together."""
        key = (id(graph), *_scheme(recipe), recipe.range_estimator, recipe.subset_size)
        if key not in self._searches:
            sites = [site for site in graph.activations if channel_axis(site, recipe.activations) is None]
            symmetric = np.array([site.symmetric or recipe.symmetric for site in sites])
            self._searches[key] = dict(
                zip([site.name for site in sites], self._search(sites, symmetric, recipe), strict=True)
            )
        return self._searches[key]

    def _search(
        self, sites: Sequence[QuantizerSite], symmetric: NDArray[np.bool_], recipe: Recipe
    ) -> list[tuple[FloatArray, FloatArray]]:
        size = recipe.subset_size
        rows = [self._statistics.extremes(s.tensor, None, size, non_negative=s.non_negative) for s in sites]
        minimum = np.array([low.min() for low, _ in rows], np.float64)
        maximum = np.array([high.max() for _, high in rows], np.float64)
        spreads = self._statistics.spread([site.tensor for site in sites], minimum, maximum, size)
        aggregator = recipe.range_estimator.minimum.aggregator
        low, high = search_ranges(*spreads, symmetric, aggregator, bits=recipe.activations.width(recipe.mode))
        return [(low[i : i + 1], high[i : i + 1]) for i in range(len(sites))]


def _scheme(recipe: Recipe) -> tuple[object, ...]:
    """The part of a recipe that decides the scheme of an activation's quantizer."""
    return recipe.mode, recipe.preset, recipe.activations


def _numbers(
    low: FloatArray, high: FloatArray, recipe: Recipe, *, symmetric: bool, per_channel: bool
) -> QuantizerLimits | Fp8Scale:
    scheme, bits = recipe.activations, recipe.activations.width(recipe.mode)
    if not recipe.mode.is_integer:
        return fp8_scale(low, high, recipe.mode, per_channel=per_channel)
    if not symmetric:
        return asymmetric_limits(low, high, bits=bits)
    return symmetric_limits(
        low, high, bits=bits, narrow_range=scheme.narrow_range is True, signed=scheme.signed or None
    )
