"""Plans to numbers to models; whatever two plans have in common is computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Statistics, estimate_range, estimator_for, extremes, search_ranges
from autoq.core import (
    BiasCorrection,
    FloatArray,
    Limits,
    PlanError,
    Precision,
    Preset,
    QuantizationPlan,
    Recipe,
    asymmetric_limits,
    nearest,
    symmetric_limits,
)
from autoq.graph import Placements, QuantizationGraph, QuantizerSite, SiteKind, Tensor, WeightedLayer, unique_names
from autoq.transform._bias_correction import shift_biases
from autoq.transform._fake_quantize import insert_activations, insert_weights
from autoq.transform._resolved import ResolvedPlan, ResolvedQuantizer, Smoothing, resolve_site
from autoq.transform._smooth_quant import insert_divisions, smoothings
from autoq.transform._weight_quantizers import WeightQuantizers
from autoq.transform._weights import FloatWeights


class CandidateBuilder:
    """Builds the models that plans stand for, from statistics collected once.

    Args:
        model: The float model; never modified.
        placements: Where quantizers stand under each ignored scope and preset.
        statistics: Cover every placement.
    """

    def __init__(self, model: ov.Model, placements: Placements, statistics: Statistics) -> None:
        self._model = model
        self._placements = placements
        self._statistics = statistics
        self._weights = FloatWeights(model)
        self._on_weights = WeightQuantizers(self._weights, statistics)
        self._limits: dict[object, Limits] = {}
        self._ranges: dict[object, dict[str, tuple[FloatArray, FloatArray]]] = {}
        self._smoothings: dict[object, tuple[Smoothing, ...]] = {}

    def resolve(self, plan: QuantizationPlan) -> ResolvedPlan:
        """The numbers of a plan.

        Raises:
            PlanError: The plan names a group or an ignored scope that does not exist.
        """
        graph = self._graph(plan)
        sites = {site.name: site for site in graph.sites if self._stands(plan, graph, site)}
        recipe = plan.recipe
        smoothed = self._smooth(graph, sites, recipe)
        layers = {layer.op: layer for layer in graph.layers if layer.weight in sites}
        quantizers = [
            *self._activations(sites, smoothed, layers, recipe),
            *(
                self._on_weights.quantizer(site, smoothed, layers, recipe)
                for site in sites.values()
                if site.kind is SiteKind.WEIGHT
            ),
        ]
        shifts: dict[str, FloatArray] = {}
        if recipe.bias_correction is BiasCorrection.FAST:
            for layer in layers.values():
                shift = self._on_weights.shift(layer, sites[layer.weight], smoothed, recipe)
                if shift is not None:
                    shifts[layer.op] = shift
        return ResolvedPlan(tuple(quantizers), shifts, smoothed, recipe.runtime_precision)

    def fingerprint(self, plan: QuantizationPlan) -> str:
        """Digest of the model that a plan builds; "float" for the float model at the device's default precision.

        Raises:
            PlanError: The plan names a group or an ignored scope that does not exist.
        """
        return self.resolve(plan).fingerprint

    def build(self, plan: QuantizationPlan, *, fold_weights: bool = True) -> ov.Model:
        """The model that a plan stands for; a new one at each call.

        Args:
            plan: The plan.
            fold_weights: Store weights as 8-bit integers; False keeps them in float behind a FakeQuantize.

        Raises:
            PlanError: The plan names a group or an ignored scope that does not exist.
        """
        resolved = self.resolve(plan)
        graph = self._graph(plan)
        layers = {layer.op: layer for layer in graph.layers}
        clone = self._model.clone()
        nodes = unique_names(clone)
        divided = insert_divisions(nodes, resolved.smoothings)
        insert_activations(nodes, resolved.quantizers, divided)
        scaled = self._on_weights.smoothed_values(graph, resolved.smoothings)
        insert_weights(
            nodes,
            resolved.quantizers,
            (lambda quantizer: self._on_weights.integers(quantizer, scaled.get(quantizer.name)))
            if fold_weights
            else None,
            scaled,
        )
        shift_biases(nodes, layers, resolved.shifts)
        clone.validate_nodes_and_infer_types()
        return clone

    # --- which sites stand -------------------------------------------------------------------------------------------

    def _graph(self, plan: QuantizationPlan) -> QuantizationGraph:
        known = {group.name for group in self._placements.reference.groups}
        for group in plan.precisions:
            if group not in known:
                msg = f"plan names the group {group!r}, which the model does not have: {nearest(group, known)}"
                raise PlanError(msg)
        return self._placements.under(plan.recipe.ignored_scope, plan.recipe.preset)

    def _stands(self, plan: QuantizationPlan, graph: QuantizationGraph, site: QuantizerSite) -> bool:
        """Groups are those of the reference; elsewhere they are found by the operations they hold."""
        if graph is self._placements.reference:
            return plan.precision(graph.group_of[site.name].name) is Precision.INT8
        floats = {op for g in self._placements.reference.groups if g.name in plan.float_groups for op in g.ops}
        return floats.isdisjoint(graph.group_of[site.name].ops)

    # --- numbers, each computed once ---------------------------------------------------------------------------------

    def _smooth(
        self, graph: QuantizationGraph, sites: dict[str, QuantizerSite], recipe: Recipe
    ) -> tuple[Smoothing, ...]:
        if recipe.smooth_quant_alpha is None:
            return ()
        key = (id(graph), frozenset(sites), recipe.smooth_quant_alpha, recipe.subset_size)
        if key not in self._smoothings:
            activations: dict[str, list[QuantizerSite]] = {}
            for site in sites.values():
                if site.kind is SiteKind.ACTIVATION:
                    for sink in site.sinks:
                        activations.setdefault(sink, []).append(site)
            self._smoothings[key] = smoothings(
                graph.layers,
                sites,
                activations,
                self._weights,
                self._statistics,
                alpha=recipe.smooth_quant_alpha,
                subset_size=recipe.subset_size,
            )
        return self._smoothings[key]

    def _activations(
        self,
        sites: Mapping[str, QuantizerSite],
        smoothed: tuple[Smoothing, ...],
        layers: Mapping[str, WeightedLayer],
        recipe: Recipe,
    ) -> list[ResolvedQuantizer]:
        by_layer = {op: smoothing for smoothing in smoothed for op in smoothing.layers}
        found: list[ResolvedQuantizer] = []
        merged: set[Tensor] = set()
        for site in sites.values():
            if site.kind is not SiteKind.ACTIVATION:
                continue
            smoothing = next((by_layer[op] for op in site.sinks if op in by_layer), None)
            if smoothing is None:
                limits = self._activation_limits(site, sites, recipe)
                found.append(resolve_site(site, limits))
            elif smoothing.tensor not in merged:
                # One quantizer behind the division serves all readers, wherever theirs stood before.
                merged.add(smoothing.tensor)
                found.append(self._smoothed_activation(site, smoothing, layers, recipe))
        return found

    def _smoothed_activation(
        self, site: QuantizerSite, smoothing: Smoothing, layers: Mapping[str, WeightedLayer], recipe: Recipe
    ) -> ResolvedQuantizer:
        axis = layers[smoothing.layers[0]].input_axis
        minimum, maximum = self._statistics.extremes(smoothing.tensor, axis, recipe.subset_size)
        minimum = (minimum / smoothing.scale).min(axis=1, keepdims=True)
        maximum = (maximum / smoothing.scale).max(axis=1, keepdims=True)
        symmetric = site.symmetric or recipe.preset is Preset.PERFORMANCE
        estimator = estimator_for(recipe.range_estimator, None, smoothed=True)
        limits = _limits(
            *estimate_range(extremes(minimum, maximum), estimator, symmetric=symmetric), symmetric=symmetric
        )
        return ResolvedQuantizer(
            name=f"{smoothing.tensor.producer}/smooth_quant_{smoothing.tensor.port}/fq_output_0",
            kind=site.kind,
            tensor=smoothing.tensor,
            consumers=tuple((op, 1 - layers[op].weight_port) for op in smoothing.layers),
            limits=limits,
            shape=(),
            smoothed=True,
        )

    def _activation_limits(self, site: QuantizerSite, sites: Mapping[str, QuantizerSite], recipe: Recipe) -> Limits:
        together = [site]
        if site.unified is not None:
            together = [s for s in sites.values() if s.unified == site.unified]
        key = (tuple(s.name for s in together), recipe.preset, recipe.range_estimator, recipe.subset_size)
        if key not in self._limits:
            symmetric = site.symmetric or recipe.preset is Preset.PERFORMANCE
            ranges = [self._range(member, recipe, symmetric=symmetric) for member in together]
            lows, highs = zip(*ranges, strict=True)
            self._limits[key] = _limits(np.minimum.reduce(lows), np.maximum.reduce(highs), symmetric=symmetric)
        return self._limits[key]

    def _range(self, site: QuantizerSite, recipe: Recipe, *, symmetric: bool) -> tuple[FloatArray, FloatArray]:
        axis = site.channel_axes[0] if site.channel_axes else None
        estimator = estimator_for(recipe.range_estimator, axis)
        if estimator.search is not None:
            return self._searched(recipe)[site.name]
        samples = self._statistics.samples(site.tensor, axis, recipe.subset_size, non_negative=site.non_negative)
        return estimate_range(samples, estimator, symmetric=symmetric)

    def _searched(self, recipe: Recipe) -> dict[str, tuple[FloatArray, FloatArray]]:
        """Ranges of all per-tensor activations of a placement, found in their histograms in one go."""
        graph = self._placements.under(recipe.ignored_scope, recipe.preset)
        key = (id(graph), recipe.preset, recipe.range_estimator, recipe.subset_size)
        if key not in self._ranges:
            sites = [site for site in graph.activations if not site.channel_axes]
            symmetric = np.array([site.symmetric or recipe.preset is Preset.PERFORMANCE for site in sites])
            self._ranges[key] = dict(
                zip([site.name for site in sites], self._search(sites, symmetric, recipe), strict=True)
            )
        return self._ranges[key]

    def _search(
        self, sites: Sequence[QuantizerSite], symmetric: NDArray[np.bool_], recipe: Recipe
    ) -> list[tuple[FloatArray, FloatArray]]:
        size = recipe.subset_size
        rows = [self._statistics.extremes(s.tensor, None, size, non_negative=s.non_negative) for s in sites]
        minimum = np.array([low.min() for low, _ in rows], np.float64)
        maximum = np.array([high.max() for _, high in rows], np.float64)
        spreads = self._statistics.spread([site.tensor for site in sites], minimum, maximum, size)
        low, high = search_ranges(*spreads, symmetric, recipe.range_estimator.minimum.aggregator)
        return [(low[i : i + 1], high[i : i + 1]) for i in range(len(sites))]


def _limits(low: FloatArray, high: FloatArray, *, symmetric: bool) -> Limits:
    return symmetric_limits(low, high) if symmetric else asymmetric_limits(low, high)


def quantize_model(
    model: ov.Model,
    placements: Placements,
    plan: QuantizationPlan,
    statistics: Statistics,
    *,
    fold_weights: bool = True,
) -> ov.Model:
    """Builds one quantized model.

    Args:
        model: The float model; never modified.
        placements: Where its quantizers may stand.
        plan: What to build.
        statistics: Cover the placements.
        fold_weights: Store weights as 8-bit integers; False keeps them in float behind a FakeQuantize.

    Raises:
        PlanError: The plan names a group or an ignored scope that does not exist.
    """
    return CandidateBuilder(model, placements, statistics).build(plan, fold_weights=fold_weights)
