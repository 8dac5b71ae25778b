"""Makes the quantization graph of a model: sites, groups, layers, and a reason for every operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import openvino as ov

from autoq.core import ModelType, Precision, Preset, TargetDevice
from autoq.graph.flow import FUSED, Flow, bodies_of, check_scope, find
from autoq.graph.operations import (
    BodyKey,
    IgnoredScope,
    QuantizationGraph,
    QuantizerGroup,
    given_names,
)
from autoq.graph.placement._decisions import explain
from autoq.graph.placement._devices import on_device, without_needless
from autoq.graph.placement._floats import is_dequantized, left_in_float
from autoq.graph.placement._groups import group_sites
from autoq.graph.placement._placement import Blocks, not_yet_quantized, place
from autoq.graph.placement._sites import absorb, activation_sites, weight_sites
from autoq.graph.placement._weights import alignable_pairs, is_depthwise, weight_ports, weighted_layers


def analyze(
    model: ov.Model,
    *,
    target_device: str | TargetDevice = TargetDevice.ANY,
    model_type: str | ModelType | None = None,
    preset: str | Preset = Preset.PERFORMANCE,
    mode: str | Precision = Precision.INT8,
    symmetric_weights: bool = True,
    ignored_scope: Any = None,  # whatever IgnoredScope.of takes
    quantize_outputs: bool = False,
) -> QuantizationGraph:
    """Decides where quantizers may stand in a model.

    Args:
        model: The float model, as `read_model` gives it; never modified.
        target_device: ANY, CPU, GPU and NPU share one table; CPU_SPR quantizes only one side of a sum.
        model_type: "transformer" adds its rules.
        preset: Scheme of the activations. Quantizers of different schemes never merge: with "mixed", the output of an
            embedding has a quantizer beside that of its table, and fused attention does not share a quantizer with
            other readers.
        mode: Precision of quantizers. In 8-bit floating point, all three inputs of fused attention are quantized.
        symmetric_weights: Whether the scheme of the weights is symmetric.
        ignored_scope: Operations that stay in float; it may name operations inside bodies.
        quantize_outputs: Whether the model's outputs are quantized too.

    Returns:
        The graph; it has no sites if nothing can be quantized.

    Raises:
        PlanError: The scope matches nothing, or a word is unknown.
    """
    chosen = Preset.parse(preset)
    return analyze_presets(
        model,
        [chosen],
        target_device=target_device,
        model_type=model_type,
        mode=mode,
        symmetric_weights=symmetric_weights,
        ignored_scope=ignored_scope,
        quantize_outputs=quantize_outputs,
    )[chosen]


def analyze_presets(
    model: ov.Model,
    presets: Iterable[Preset],
    *,
    target_device: str | TargetDevice = TargetDevice.ANY,
    model_type: str | ModelType | None = None,
    mode: str | Precision = Precision.INT8,
    symmetric_weights: bool = True,
    ignored_scope: Any = None,  # whatever IgnoredScope.of takes
    quantize_outputs: bool = False,
) -> dict[Preset, QuantizationGraph]:
    """As `analyze`, under several presets. The model is read and searched for patterns only once."""
    device = TargetDevice.parse(target_device)
    kind = None if model_type is None else ModelType.parse(model_type)
    chosen, scope = tuple(presets), IgnoredScope.of(ignored_scope) or IgnoredScope()
    flow = Flow.of(model)
    scope = scope.renamed(given_names(model))
    inner = [body for body in bodies_of(model) if body.op in flow.type]
    if inner and scope.validate:
        # A rule may name operations of a body: rules are checked once, against all operations.
        check_scope(model, scope)
        scope = replace(scope, validate=False)
    weighted = {name: ports for name in flow.names if (ports := weight_ports(flow, name))}
    depthwise = frozenset(name for name in flow.names if is_depthwise(flow.nodes[name]))
    floats = left_in_float(flow, kind, device, scope, weighted)
    fused = find(flow, on_device(FUSED, device))
    blocks = Blocks.of(flow, fused)
    inside = {
        body.key: analyze_presets(
            body.model,
            chosen,
            target_device=device,
            model_type=kind,
            mode=mode,
            symmetric_weights=symmetric_weights,
            ignored_scope=scope,
        )
        for body in inner
        if body.op not in floats
    }

    def under(preset: Preset) -> QuantizationGraph:
        placed = place(
            flow,
            blocks,
            floats,
            depthwise,
            preset=preset,
            numbers=Precision.parse(mode).kind,
            quantize_outputs=quantize_outputs,
        )
        placed = [p for p in map(not_yet_quantized, placed) if p.edges and not is_dequantized(flow, p.edges[0].source)]
        placed = without_needless(flow, placed, device)
        placed, weights = absorb(
            flow, placed, weight_sites(flow, weighted, floats, blocks), symmetric=symmetric_weights
        )
        sites = [*activation_sites(flow, placed, kind, weighted), *weights]
        sites.sort(key=lambda site: min(flow.order[op] for op, _ in site.consumers))
        groups = group_sites(sites, flow.order)
        layers = weighted_layers(flow, weights)
        bodies = {key: graphs[preset] for key, graphs in inside.items() if graphs[preset].groups}
        return QuantizationGraph(
            sites=tuple(sites),
            groups=_with_bodies(groups, bodies, flow),
            layers=layers,
            decisions=explain(flow, fused, floats, groups, bodies),
            alignable=alignable_pairs(flow, layers),
            bodies=bodies,
        )

    return {preset: under(preset) for preset in chosen}


def _with_bodies(
    groups: tuple[QuantizerGroup, ...], bodies: Mapping[BodyKey, QuantizationGraph], flow: Flow
) -> tuple[QuantizerGroup, ...]:
    """The groups, with one for the bodies of each operation."""
    ops = dict.fromkeys(op for op, _ in bodies)
    every = [*groups, *(QuantizerGroup(op, (), (op,)) for op in ops)]
    return tuple(sorted(every, key=lambda group: min(flow.order[op] for op in group.ops))) if ops else groups
