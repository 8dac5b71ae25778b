"""Builds plans: to numbers, and then to models. Plans share all numbers that they have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import openvino as ov

from autoq.calibration import Feed, Statistics, full_batches, give_shapes, output_mean
from autoq.core import (
    BiasCorrection,
    DataError,
    FloatArray,
    Plan,
    PlanError,
    Precision,
    QuantizationPlan,
    Recipe,
    nearest,
)
from autoq.graph import (
    Body,
    BodyKey,
    Placements,
    QuantizationGraph,
    QuantizerGroup,
    QuantizerSite,
    SiteKind,
    bodies_of,
    set_body,
    unique_names,
)
from autoq.transform.quantize._accurate_bias_correction import SHARE_OF_SAMPLES, corrected_shifts
from autoq.transform.quantize._activation_quantizers import ActivationQuantizers
from autoq.transform.quantize._apart_reductions import keep_reductions_apart
from autoq.transform.quantize._apart_sums import keep_sums_apart
from autoq.transform.quantize._bias_correction import shift_biases
from autoq.transform.quantize._compiled_parts import CompiledParts
from autoq.transform.quantize._fake_quantize import insert_activations, insert_weights
from autoq.transform.quantize._first_rewrite import FirstRewrite
from autoq.transform.quantize._measured_shifts import MeasuredShifts
from autoq.transform.quantize._resolved import ResolvedPlan, ResolvedQuantizer, Smoothing
from autoq.transform.quantize._smooth_quant import insert_divisions, smoothings
from autoq.transform.quantize._switchable import Switches, switch_activations, switch_biases, switch_weights
from autoq.transform.quantize._weight_quantizers import WeightQuantizers
from autoq.transform.quantize._weights import FloatWeights


class CandidateBuilder:
    """Builds the models of plans from statistics that were collected once.

    Bodies of operations are quantized whole, by the recipe of the model or of their group. They have fast bias
    correction where the recipe has the accurate one. Bodies that no sample ran stay in float.

    Args:
        model: The float model; never modified.
        placements: Places of quantizers under each ignored scope and preset.
        statistics: Statistics for all placements.
        inputs: The calibration inputs; only accurate bias correction runs candidates on them.
        cache: Folder for the results of accurate bias correction, so that a candidate can be built again without
            inputs; None keeps them in memory.
    """

    def __init__(
        self,
        model: ov.Model,
        placements: Placements,
        statistics: Statistics,
        inputs: Sequence[Feed] | None = None,
        cache: Path | None = None,
    ) -> None:
        self._model = model
        self._placements = placements
        self._statistics = statistics
        self._weights = FloatWeights(model)
        self._on_weights = WeightQuantizers(self._weights, statistics)
        self._on_activations = ActivationQuantizers(statistics)
        self._inputs = inputs
        self._smoothings: dict[object, tuple[Smoothing, ...]] = {}
        self._overlaps: dict[object, list[str]] = {}
        self._measured_shifts = MeasuredShifts(cache)
        # A model that is built once leaves nothing.
        self._compiled_parts = CompiledParts(most=0)
        self._batches: dict[int, list[Feed]] = {}
        self._bodies = {
            body.key: CandidateBuilder(body.model, placements.of_body(body.key), statistics.bodies[body.key])
            for body in bodies_of(model)
            if body.key in placements.bodies and len(_body_of(statistics, body))
        }

    @property
    def groups(self) -> tuple[QuantizerGroup, ...]:
        """The groups that plans name."""
        return self._placements.reference.groups

    def resolve(self, plan: Plan) -> ResolvedPlan:
        """The numbers of a plan.

        Raises:
            PlanError: The plan names a group or an ignored scope that does not exist.
        """
        plan.check_only(QuantizationPlan.kind)
        part = plan.quantization
        graph = self._graph(part)
        sites = {site.name: site for site in graph.sites if self._stands(part, graph, site)}
        recipe = part.recipe
        recipes = {name: self._recipe_of(part, graph, name) for name in sites}
        smoothed = self._smooth(graph, sites, recipes)
        layers = {layer.op: layer for layer in graph.layers if layer.weight in sites}
        quantizers = [
            *self._on_activations.quantizers(graph, sites, smoothed, layers, recipes),
            *(
                self._on_weights.quantizer(site, smoothed, layers, recipes[site.name])
                for site in sites.values()
                if site.kind is SiteKind.WEIGHT
            ),
        ]
        shifts: dict[str, FloatArray] = {}
        for layer in layers.values():
            if recipes[layer.weight].bias_correction is BiasCorrection.FAST:
                shift = self._on_weights.shift(layer, sites[layer.weight], smoothed, recipes[layer.weight])
                if shift is not None:
                    shifts[layer.op] = shift
        corrected_on = 0
        if recipe.bias_correction is BiasCorrection.ACCURATE and quantizers:
            corrected_on = max(int(self._statistics.rows(recipe.subset_size) * SHARE_OF_SAMPLES), 1)
        found = {key: body.resolve(inside) for key, body, inside in self._inside(part)}
        bodies = {key: inside for key, inside in found.items() if inside.quantized_sites}
        return ResolvedPlan(tuple(quantizers), shifts, smoothed, plan.runtime_choice, corrected_on, bodies)

    def fingerprint(self, plan: Plan) -> str:
        """Digest of the model that a plan builds; "float" for the float model at the device's default precision.

        Raises:
            PlanError: The plan names a group or an ignored scope that does not exist.
        """
        return self.resolve(plan).fingerprint

    def build(self, plan: Plan, *, fold_weights: bool = True, first: FirstRewrite | None = None) -> ov.Model:
        """The model of a plan; a new one at each call.

        Args:
            plan: The plan.
            fold_weights: Store weights as 8-bit integers; False keeps them in float behind a FakeQuantize.
            first: What else is changed.

        Raises:
            PlanError: The plan names a group or an ignored scope that does not exist.
        """
        resolved, part = self.resolve(plan), plan.quantization
        graph = self._graph(part)
        layers = {layer.op: layer for layer in graph.layers}
        candidate, nodes = self._assemble(resolved, graph, part, first, fold_weights=fold_weights)
        shifts = self._measured(resolved, graph, part, first) if resolved.corrected_on else resolved.shifts
        shift_biases(nodes, layers, shifts)
        candidate.validate_nodes_and_infer_types()
        return candidate

    def build_switchable(
        self, recipe: Recipe, units: Sequence[Sequence[str]], precision: Precision | None = None
    ) -> ov.Model:
        """The model with every group quantized, and an input that switches units of groups between that and float.

        Accurate bias correction is left out, since it measures the biases of one candidate. With SmoothQuant, float
        layers divide and multiply too, as if all of its layers were quantized.

        Args:
            recipe: Recipe of the candidates.
            units: Groups of each unit, in the order of the switches; groups of no unit stay in float.
            precision: Precision of quantized units; None is the mode of the recipe.

        Raises:
            PlanError: A group or an ignored scope does not exist.
        """
        held = {group: number for number, groups in enumerate(units) for group in groups}
        on = recipe.mode if precision is None else precision
        every = [*(group.name for group in self.groups), *held]
        plan = Plan.quantized(recipe, {group: on if group in held else Precision.FLOAT for group in every})
        resolved, graph = self.resolve(plan), self._graph(plan.quantization)

        def units_of(quantizer: ResolvedQuantizer) -> frozenset[int]:
            # A quantizer after SmoothQuant's division replaces those of all readers, and has a name of its own.
            group = graph.group_of.get(quantizer.name)
            readers = tuple(op for op, _ in quantizer.consumers)
            found = self._groups_of(group.name, group.ops) if group else self._groups_of(quantizer.name, readers)
            return frozenset(held[name] for name in found)

        clone = self._model.clone()
        nodes = unique_names(clone)
        divided = insert_divisions(nodes, resolved.smoothings)
        switches = Switches(clone, len(units))
        switch_activations(nodes, resolved.quantizers, divided, switches, units_of)
        switch_weights(
            nodes,
            resolved.quantizers,
            lambda quantizer: self._on_weights.values(quantizer, graph, resolved.smoothings),
            switches,
            units_of,
        )
        of_weight = {quantizer.name: units_of(quantizer) for quantizer in resolved.quantizers}
        layers = {layer.op: layer for layer in graph.layers}
        switch_biases(nodes, layers, resolved.shifts, switches, lambda layer: of_weight[layer.weight])
        clone.validate_nodes_and_infer_types()
        return clone

    def _assemble(
        self,
        resolved: ResolvedPlan,
        graph: QuantizationGraph,
        plan: QuantizationPlan,
        first: FirstRewrite | None,
        *,
        fold_weights: bool,
    ) -> tuple[ov.Model, dict[str, ov.Node]]:
        """The candidate before its biases are corrected, and its operations by the names of the float model."""
        clone = self._model.clone()
        nodes = unique_names(clone)
        if first is not None:
            first.rewrite(nodes)
        divided = insert_divisions(nodes, resolved.smoothings)
        insert_activations(nodes, resolved.quantizers, divided)
        weights, smoothed = self._on_weights, resolved.smoothings
        insert_weights(
            nodes,
            resolved.quantizers,
            (lambda quantizer: weights.folded(quantizer, graph, smoothed)) if fold_weights else None,
            lambda quantizer: weights.smoothed_value(quantizer, graph, smoothed),
        )
        keep_reductions_apart(clone)
        keep_sums_apart(clone)
        for (op, branch), body, inside in self._inside(plan):
            if (op, branch) in resolved.bodies:
                set_body(nodes[op], branch, body.build(inside, fold_weights=fold_weights))
        return clone, nodes

    def _measured(
        self, resolved: ResolvedPlan, graph: QuantizationGraph, plan: QuantizationPlan, first: FirstRewrite | None
    ) -> dict[str, FloatArray]:
        """Shifts of accurate bias correction."""
        key = resolved.fingerprint if first is None else f"{resolved.fingerprint}-{first.fingerprint}"
        if (known := self._measured_shifts.get(key)) is not None:
            return known
        if self._inputs is None:
            msg = "bias correction 'accurate' runs the candidate on calibration data, but there are none."
            raise PlanError(msg)
        # Statistics may come from more samples than there are here.
        feeds = list(islice(self._inputs, resolved.corrected_on))
        standing = {quantizer.name for quantizer in resolved.quantizers}
        layers = [layer for layer in graph.layers if layer.weight in standing and layer.bias_add is not None]
        means = {}
        for layer in layers:
            if (tap := output_mean(layer)) is not None and tap in self._statistics:
                samples = self._statistics.of(tap, len(feeds))
                means[layer.op] = samples.mean(axis=0, dtype=np.float64)
        workbench, nodes = self._assemble(resolved, graph, plan, first, fold_weights=True)
        batches = self._in_batches(feeds)
        if len(batches) < len(feeds):
            give_shapes(workbench, {name: array.shape for name, array in batches[0].items()})
        measured = [layer for layer in layers if layer.op in means]
        shifts = corrected_shifts(workbench, nodes, measured, means, batches, self._compiled_parts)
        self._measured_shifts.put(key, shifts)
        if not self._compiled_parts.most:
            self._compiled_parts = CompiledParts()
        return shifts

    def _in_batches(self, feeds: Sequence[Feed]) -> list[Feed]:
        """Samples as accurate bias correction runs them: several at a time, where they stay apart."""
        if len(feeds) not in self._batches:
            taps = [tap for layer in self._placements.reference.layers if (tap := output_mean(layer)) is not None]
            self._batches[len(feeds)] = full_batches(self._model, taps, feeds)
        return self._batches[len(feeds)]

    # --- bodies ------------------------------------------------------------------------------------------------------

    @property
    def unswitchable(self) -> frozenset[str]:
        """Groups that `build_switchable` leaves in float: those of bodies."""
        return frozenset(op for op, _ in self._bodies)

    def _inside(self, plan: QuantizationPlan) -> Iterator[tuple[BodyKey, CandidateBuilder, Plan]]:
        """Bodies that a plan quantizes, with the builder and the plan of each."""
        for key, body in self._bodies.items():
            precision, recipe = plan.precision(key[0]), plan.recipe_of(key[0])
            if precision.is_float:
                continue
            if recipe.bias_correction is BiasCorrection.ACCURATE:
                recipe = replace(recipe, bias_correction=BiasCorrection.FAST)
            yield key, body, Plan.quantized(recipe, {group.name: precision for group in body.groups})

    # --- which sites stand -------------------------------------------------------------------------------------------

    def _graph(self, plan: QuantizationPlan) -> QuantizationGraph:
        known = {group.name for group in self.groups}
        for group in (*plan.precisions, *plan.choices):
            if group not in known:
                msg = f"plan names the group {group!r}, which the model does not have: {nearest(group, known)}"
                raise PlanError(msg)
        mode = plan.recipe.mode
        if mode != self._placements.mode:
            msg = f"plan's mode is {str(mode)!r}, but quantizers were placed for {str(self._placements.mode)!r}."
            raise PlanError(msg)
        return self._placements.under(plan.recipe.ignored_scope, plan.recipe.placement)

    def _stands(self, plan: QuantizationPlan, graph: QuantizationGraph, site: QuantizerSite) -> bool:
        """Whether a quantizer stands on a site. A group of another placement is found by its operations."""
        asked = self._asked(plan, graph, site.name)
        if any(precision.is_float for precision in asked):
            return False
        return site.kind is SiteKind.WEIGHT or not any(precision.weights_only for precision in asked)

    def _asked(self, plan: QuantizationPlan, graph: QuantizationGraph, site: str) -> list[Precision]:
        """Precisions of the reference's groups that share operations with the group of a site."""
        group = graph.group_of[site]
        return [plan.precision(name) for name in self._groups_of(group.name, group.ops)]

    def _recipe_of(self, plan: QuantizationPlan, graph: QuantizationGraph, site: str) -> Recipe:
        """The recipe of a site. Of several groups of the reference in its group, the first with a choice decides."""
        precision = next(iter(self._asked(plan, graph, site)), plan.recipe.mode)
        if not plan.choices:
            return plan.recipe.under(precision)
        group = graph.group_of[site]
        chose = (name for name in self._groups_of(group.name, group.ops) if name in plan.choices)
        return plan.recipe_of(next(chose, "")).under(precision)

    def _groups_of(self, name: str, ops: tuple[str, ...]) -> list[str]:
        """Groups of the reference that hold any of these operations."""
        key = (name, ops)
        if key not in self._overlaps:
            self._overlaps[key] = [group.name for group in self.groups if not set(ops).isdisjoint(group.ops)]
        return self._overlaps[key]

    # --- numbers, each computed once ---------------------------------------------------------------------------------

    def _smooth(
        self, graph: QuantizationGraph, sites: dict[str, QuantizerSite], recipes: dict[str, Recipe]
    ) -> tuple[Smoothing, ...]:
        alphas = {
            name: recipes[name].smooth_quant_alpha for name, site in sites.items() if site.kind is SiteKind.WEIGHT
        }
        if all(alpha is None for alpha in alphas.values()):
            return ()
        subset_size = next(iter(recipes.values())).subset_size
        key = (id(graph), frozenset(sites), tuple(alphas.values()), subset_size)
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
                alphas=alphas,
                subset_size=subset_size,
            )
        return self._smoothings[key]


def _body_of(statistics: Statistics, body: Body) -> Statistics:
    """Statistics of a body.

    Raises:
        DataError: They were not collected.
    """
    if body.key not in statistics.bodies:
        msg = f"statistics hold nothing of the body of {body.op!r}: collect them again for this model."
        raise DataError(msg)
    return statistics.bodies[body.key]


def quantize_model(
    model: ov.Model,
    placements: Placements,
    plan: Plan,
    statistics: Statistics,
    *,
    inputs: Sequence[Feed] | None = None,
    fold_weights: bool = True,
) -> ov.Model:
    """Builds one quantized model.

    Args:
        model: The float model; never modified.
        placements: Possible places of its quantizers.
        plan: The plan.
        statistics: Statistics for the placements.
        inputs: The calibration inputs, for accurate bias correction.
        fold_weights: Store weights as 8-bit integers; False keeps them in float behind a FakeQuantize.

    Raises:
        PlanError: The plan names a group or an ignored scope that does not exist.
    """
    return CandidateBuilder(model, placements, statistics, inputs).build(plan, fold_weights=fold_weights)
