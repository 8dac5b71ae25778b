"""From a model to its quantization graph: sites, groups, layers, and a reason for every operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import openvino as ov

from autoq.core import ModelType, Preset, TargetDevice
from autoq.graph._components import Components
from autoq.graph._flow import Flow
from autoq.graph._patterns import FUSED, IGNORED, IGNORED_IN_TRANSFORMER, Match, find
from autoq.graph._placement import Blocks, Placed, place
from autoq.graph._scope import IgnoredScope
from autoq.graph._tables import AGNOSTIC, NON_NEGATIVE, POST_PROCESSING, QUANTIZABLE, SYMMETRIC, TRANSFORMER_FLOAT
from autoq.graph._types import (
    Decision,
    QuantizationGraph,
    QuantizerGroup,
    QuantizerSite,
    SiteKind,
    Tensor,
    WeightedLayer,
)
from autoq.graph._weights import channel_axes, is_depthwise, weight_ports, weighted_layer

_SILENT = frozenset({"Parameter", "Result", "Constant"})


def analyze(
    model: ov.Model,
    *,
    target_device: str | TargetDevice = TargetDevice.ANY,
    model_type: str | ModelType | None = None,
    preset: str | Preset = Preset.PERFORMANCE,
    ignored_scope: IgnoredScope | None = None,
    quantize_outputs: bool = False,
) -> QuantizationGraph:
    """Decides where quantizers may stand in a model.

    Args:
        model: The float model; never modified.
        target_device: Hardware table; ANY and CPU share one.
        model_type: "transformer" adds its rules.
        preset: Scheme of the activations. Quantizers of different schemes never merge: with "mixed", an embedding's
            output is quantized besides its table, and fused attention does not share a quantizer with other readers.
        ignored_scope: What the user wants left in float.
        quantize_outputs: Whether the model's outputs are quantized too.

    Returns:
        The graph; without sites where nothing can be quantized.

    Raises:
        PlanError: The scope matches nothing, or a word is unknown.
    """
    TargetDevice.parse(target_device)
    kind = None if model_type is None else ModelType.parse(model_type)
    preset = Preset.parse(preset)
    flow = Flow.of(model)
    weighted = {name: ports for name in flow.names if (ports := weight_ports(flow, name))}
    floats = _floats(flow, kind, ignored_scope or IgnoredScope(), weighted)
    fused = find(flow, FUSED)
    blocks = _blocks(flow, fused)
    if kind is ModelType.TRANSFORMER:
        for name in flow.names:
            if blocks.head[name] == name and flow.type[name] in TRANSFORMER_FLOAT:
                floats.setdefault(name, f"{flow.type[name]} stays in float in a transformer")
    depthwise = frozenset(name for name in flow.names if is_depthwise(flow.nodes[name]))
    placed = [
        p
        for p in place(flow, blocks, floats, depthwise, preset=preset, quantize_outputs=quantize_outputs)
        if not _already_quantized(flow, p)
    ]
    weights, owners = _weight_sites(flow, weighted, floats, blocks)
    absorbed = [p for p in placed if _quantized_as_weight(flow, p, owners)]
    weights = _per_tensor_tables(weights, {owners[p.edges[0].source] for p in absorbed if not p.quantizer.per_channel})
    placed = [p for p in placed if p not in absorbed]
    unions = _unions(placed)
    activations = [_activation_site(flow, p, kind, weighted, unions) for p in placed]
    layers = _layers(flow, weights)
    first = _first_convolutions(flow, {op for site in weights for op, _ in site.consumers})
    weights = [replace(site, first_layer=site.consumers[0][0] in first) for site in weights]
    groups = _groups(flow, list(zip(activations, placed, strict=True)), weights)
    order = flow.order
    sites = sorted([*activations, *weights], key=lambda s: min(order[op] for op, _ in s.consumers))
    return QuantizationGraph(
        sites=tuple(sites),
        groups=groups,
        layers=layers,
        decisions=_decisions(flow, blocks, fused, floats, groups),
    )


def _floats(
    flow: Flow, kind: ModelType | None, scope: IgnoredScope, weighted: Mapping[str, tuple[int, ...]]
) -> dict[str, str]:
    """Operations that stay in float, each with the reason."""
    floats = scope.resolve({name: op.get_type_name() for name, op in flow.nodes.items()}, flow.readers)
    patterns = IGNORED + (IGNORED_IN_TRANSFORMER if kind is ModelType.TRANSFORMER else ())
    for match in find(flow, patterns):
        for op in match.ops:
            floats.setdefault(op, f"stays in float as part of a {match.pattern.name}")
    for name in flow.names:
        if flow.type[name] == "GRUSequence" and flow.nodes[name].get_attributes().get("linear_before_reset"):
            floats.setdefault(name, "a GRUSequence with linear_before_reset has no int8 kernel")
        if _dequantizes(flow, name):
            floats.setdefault(name, "dequantizes values that the model already quantizes")
    for name in _post_processing(flow, weighted):
        floats.setdefault(name, "stays in float as part of the post-processing of detections")
    return floats


def _dequantizes(flow: Flow, name: str) -> bool:
    """A Subtract or Multiply by a constant, at the end of a chain from integers that the model itself rounded to."""
    while flow.type[name] in {"Subtract", "Multiply"} and len(flow.in_edges[name]) == 1:
        name = flow.in_edges[name][0].source
        if flow.type[name] == "Convert":
            edge = flow.in_edges[name][0]
            return not edge.is_float and flow.type[edge.source] in {"Convert", "FakeQuantize"}
    return False


def _post_processing(flow: Flow, weighted: Mapping[str, tuple[int, ...]]) -> set[str]:
    """Operations between a marker such as TopK and the weighted operations above it, and all below the marker."""
    below: set[str] = set()
    markers = [name for name in flow.names if flow.type[name] in POST_PROCESSING]
    stack = list(markers)
    while stack:
        name = stack.pop()
        if name not in below and name not in weighted and flow.type[name] != "Parameter":
            below.add(name)
            stack.extend(flow.producers[name])
    after: set[str] = set()
    stack = [reader for marker in markers for reader in flow.readers[marker]]
    while stack:
        name = stack.pop()
        if name not in after and name not in weighted and flow.type[name] != "Result":
            after.add(name)
            stack.extend(flow.readers[name])
    return below | after


def _blocks(flow: Flow, fused: Iterable[Match]) -> Blocks:
    head = {name: name for name in flow.names}
    tail = {name: name for name in flow.names}
    for match in fused:
        head.update(dict.fromkeys(match.ops, match.ops[0]))
        tail[match.ops[0]] = match.ops[-1]
    return Blocks(head, tail)


def _already_quantized(flow: Flow, placed: Placed) -> bool:
    source = placed.edges[0].source
    return flow.type[source] == "FakeQuantize" or _dequantizes(flow, source)


def _quantized_as_weight(flow: Flow, placed: Placed, owners: Mapping[str, str]) -> bool:
    """An embedding's output is on the grid of its table, which is quantized as a weight, in the scheme of weights."""
    source = placed.edges[0].source
    return placed.at_output and placed.quantizer.symmetric and flow.type[source] == "Gather" and source in owners


def _weight_sites(
    flow: Flow, weighted: Mapping[str, tuple[int, ...]], floats: Mapping[str, str], blocks: Blocks
) -> tuple[list[QuantizerSite], dict[str, str]]:
    """One site per constant; operations that share it share the site. Also: site by operation."""
    found: dict[tuple[str, int], QuantizerSite] = {}
    owners: dict[str, str] = {}
    name_of = {op.get_name(): name for name, op in flow.nodes.items()}
    for op, ports in weighted.items():
        # Only the first operation of a fused block keeps its weight quantizer.
        if op in floats or blocks.head[op] != op:
            continue
        for port in ports:
            output = flow.nodes[op].input_value(port)
            key = (name_of[output.get_node().get_name()], output.get_index())
            earlier = found.get(key)
            consumers = ((op, port),) if earlier is None else (*earlier.consumers, (op, port))
            found[key] = QuantizerSite(
                name=f"{op}/fq_weights_{port}" if earlier is None else earlier.name,
                kind=SiteKind.WEIGHT,
                tensor=Tensor(*key),
                consumers=consumers,
                sinks=tuple(reader for reader, _ in consumers),
                shape=_shape(output),
                channel_axes=channel_axes(flow.nodes[op], port) if earlier is None else earlier.channel_axes,
                symmetric=True,
            )
            owners[op] = found[key].name
    return list(found.values()), owners


def _per_tensor_tables(weights: list[QuantizerSite], names: set[str]) -> list[QuantizerSite]:
    """Gives a table whose output would have been quantized per tensor one range, like the quantizer it replaces."""
    return [replace(site, channel_axes=()) if site.name in names else site for site in weights]


def _shape(output: ov.Output) -> tuple[int, ...]:
    shape = output.get_partial_shape()
    if shape.rank.is_dynamic:
        return ()
    return tuple(-1 if dimension.is_dynamic else dimension.get_length() for dimension in shape)


def _unions(placed: Iterable[Placed]) -> dict[str, str]:
    """Label of the shared range by each label that belongs to it; a range that one quantizer has is not shared."""
    unified = [sorted(p.quantizer.unified) for p in placed if p.quantizer.unified]
    shared = Components()
    for labels in unified:
        shared.join(*labels)
    root = shared.roots()
    sizes = Counter(root[labels[0]] for labels in unified)
    return {label: r for label, r in root.items() if sizes[r] > 1}


def _activation_site(
    flow: Flow,
    placed: Placed,
    kind: ModelType | None,
    weighted: Mapping[str, tuple[int, ...]],
    unions: Mapping[str, str],
) -> QuantizerSite:
    edge = placed.edges[0]
    output = flow.nodes[edge.source].output(edge.source_port)
    shape = _shape(output)
    per_channel = placed.quantizer.per_channel and len(shape) > 1 and shape[1] > 0
    sinks = placed.quantizer.sinks
    attention = any(flow.type[sink] in SYMMETRIC for sink in sinks)
    products = kind is ModelType.TRANSFORMER and any(
        flow.type[sink] == "MatMul" and sink not in weighted for sink in sinks
    )
    if placed.at_output:
        name = f"{edge.source}/fq_output_{edge.source_port}"
    else:
        name = f"{edge.target}/fq_input_{edge.target_port}"
    return QuantizerSite(
        name=name,
        kind=SiteKind.ACTIVATION,
        tensor=Tensor(edge.source, edge.source_port),
        consumers=tuple((e.target, e.target_port) for e in placed.edges),
        sinks=tuple(sorted(sinks, key=flow.order.__getitem__)),
        shape=shape,
        channel_axes=(1,) if per_channel else (),
        symmetric=attention or products,
        unified=unions.get(min(placed.quantizer.unified, default="")),
        non_negative=_is_non_negative(flow, edge.source),
    )


def _is_non_negative(flow: Flow, name: str) -> bool:
    """Whether an output cannot be negative, as its producer's type says, seen through operations that move values."""
    while flow.type[name] in AGNOSTIC - {"Pad", "Concat"} and len(flow.in_edges[name]) == 1:
        name = flow.in_edges[name][0].source
    if flow.type[name] == "Clamp":
        return float(flow.nodes[name].get_attributes()["min"]) >= 0
    return flow.type[name] in NON_NEGATIVE


def _layers(flow: Flow, weights: Iterable[QuantizerSite]) -> tuple[WeightedLayer, ...]:
    found = [weighted_layer(flow, op, site.name, port) for site in weights for op, port in site.consumers]
    return tuple(sorted((layer for layer in found if layer is not None), key=lambda layer: flow.order[layer.op]))


def _first_convolutions(flow: Flow, quantized: set[str]) -> set[str]:
    """The quantized convolutions that are reached first from each model input."""
    first: set[str] = set()
    for start in (name for name in flow.names if flow.type[name] == "Parameter"):
        seen: set[str] = set()
        stack = [start]
        while stack:
            name = stack.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in quantized and flow.type[name] == "Convolution":
                first.add(name)
            else:
                stack.extend(flow.readers[name])
    return first


def _groups(
    flow: Flow, activations: list[tuple[QuantizerSite, Placed]], weights: list[QuantizerSite]
) -> tuple[QuantizerGroup, ...]:
    """Sites that quantize inputs of a common operation, or share a range, belong together: connected components."""
    quantized = {site.name: placed.quantizer.sinks for site, placed in activations}
    quantized |= {site.name: frozenset(op for op, _ in site.consumers) for site in weights}
    together = Components()
    for name, sinks in quantized.items():
        together.join(f"site {name}", *(f"op {op}" for op in sorted(sinks)))
    for site, _ in activations:
        if site.unified is not None:
            together.join(f"site {site.name}", f"range {site.unified}")
    root = together.roots()
    members: dict[str, list[str]] = {}
    for name in quantized:
        members.setdefault(root[f"site {name}"], []).append(name)
    groups = []
    for names in members.values():
        ops = sorted(frozenset().union(*(quantized[name] for name in names)), key=flow.order.__getitem__)
        groups.append(QuantizerGroup(ops[0], tuple(sorted(names)), tuple(ops)))
    return tuple(sorted(groups, key=lambda group: flow.order[group.name]))


def _decisions(
    flow: Flow,
    blocks: Blocks,
    fused: Iterable[Match],
    floats: Mapping[str, str],
    groups: Iterable[QuantizerGroup],
) -> tuple[Decision, ...]:
    quantized = {op for group in groups for op in group.ops}
    inside = {op: match for match in fused for op in match.ops[1:]}
    found = []
    for name in flow.names:
        kind = flow.type[name]
        if kind in _SILENT:
            continue
        if name in floats:
            reason = floats[name]
        elif name in inside:
            reason = f"runs fused into {blocks.head[name]!r} ({inside[name].pattern.name})"
        elif name in quantized:
            reason = "runs on quantized inputs"
        elif kind in AGNOSTIC:
            reason = "only moves values: quantizers pass through it"
        elif kind not in QUANTIZABLE:
            reason = f"{kind} has no int8 kernel"
        elif not any(edge.is_float for edge in flow.in_edges[name]):
            reason = "has no float input"
        else:
            reason = "a quantizer here would serve no int8 kernel"
        found.append(Decision(name, kind, name in quantized and name not in inside, reason))
    return tuple(found)
