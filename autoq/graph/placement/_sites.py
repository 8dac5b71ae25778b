"""Makes sites of placed quantizers and of weights: names, channels, schemes, shared ranges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import openvino as ov

from autoq.core import ModelType
from autoq.graph.flow import Components, Flow
from autoq.graph.operations import QuantizerSite, SiteKind, Tensor, channel_axes, operation
from autoq.graph.placement._placement import Blocks, Placed
from autoq.graph.placement._weights import reads_quantized_table


def weight_sites(
    flow: Flow, weighted: Mapping[str, tuple[int, ...]], floats: Collection[str], blocks: Blocks
) -> list[QuantizerSite]:
    """One site per constant; operations that share a constant share the site.

    Args:
        flow: The model.
        weighted: Ports of the weights by operation.
        floats: Operations that stay in float.
        blocks: The fused operations: only the first operation of a block keeps its weight quantizer.
    """
    quantized = {op: ports for op, ports in weighted.items() if op not in floats and blocks.head[op] == op}
    first = _first_convolutions(flow, weighted)
    readers: dict[Tensor, list[tuple[str, int]]] = {}
    for op, ports in quantized.items():
        for port in ports:
            output = flow.nodes[op].input_value(port)
            readers.setdefault(Tensor(flow.name_of(output.get_node()), output.get_index()), []).append((op, port))
    sites = []
    for tensor, consumers in readers.items():
        op, port = consumers[0]
        sites.append(
            QuantizerSite(
                name=f"{op}/fq_weights_{port}",
                kind=SiteKind.WEIGHT,
                tensor=tensor,
                consumers=tuple(consumers),
                sinks=tuple(reader for reader, _ in consumers),
                shape=_shape(flow.nodes[op].input_value(port)),
                channel_axes=channel_axes(flow.nodes[op], port),
                symmetric=True,
                first_layer=op in first,
            )
        )
    return sites


def absorb(
    flow: Flow, placed: Iterable[Placed], weights: Iterable[QuantizerSite], *, symmetric: bool
) -> tuple[list[Placed], list[QuantizerSite]]:
    """Drops the quantizer of an embedding's output, if its values are on the grid of the table already.

    They are if both have one scheme and all readers are quantized. The table then gets the quantizer of the output: one
    for the whole tensor, unless its readers allow one per channel.

    Args:
        flow: The model.
        placed: Quantizers of activations.
        weights: Sites of weights.
        symmetric: Whether weights are symmetric.

    Returns:
        The remaining quantizers, and the new sites of weights.
    """
    table = {op: site.name for site in weights for op, _ in site.consumers if flow.type[op] == "Gather"}
    left: list[Placed] = []
    per_tensor: set[str] = set()
    for p in placed:
        source = p.edges[0].source
        on_grid = source in table or reads_quantized_table(flow, source)
        if not on_grid or not p.at_output or p.quantizer.symmetric != symmetric:
            left.append(p)
        elif source in table and not p.quantizer.per_channel:
            per_tensor.add(table[source])
    return left, [
        replace(site, channel_axes=(), full_range=True) if site.name in per_tensor else site for site in weights
    ]


def activation_sites(
    flow: Flow, placed: Iterable[Placed], model_type: ModelType | None, weighted: Collection[str]
) -> list[QuantizerSite]:
    """One site per placed quantizer.

    Args:
        flow: The model.
        placed: The quantizers.
        model_type: In a transformer, products of two activations are quantized symmetrically.
        weighted: Operations with a constant weight.
    """
    placed = list(placed)
    symmetric = {name for name in flow.names if operation(flow.type[name]).symmetric}
    if model_type is ModelType.TRANSFORMER:
        symmetric |= {name for name in flow.names if flow.type[name] == "MatMul" and name not in weighted}
    shared = _shared_ranges(placed)
    return [_activation_site(flow, p, symmetric, shared) for p in placed]


def _activation_site(
    flow: Flow, placed: Placed, symmetric: Collection[str], shared: Mapping[str, str]
) -> QuantizerSite:
    edge, quantizer = placed.edges[0], placed.quantizer
    shape = _shape(flow.nodes[edge.source].output(edge.source_port))
    at_output, at_input = f"{edge.source}/fq_output_{edge.source_port}", f"{edge.target}/fq_input_{edge.target_port}"
    return QuantizerSite(
        name=at_output if placed.at_output else at_input,
        kind=SiteKind.ACTIVATION,
        tensor=Tensor(edge.source, edge.source_port),
        consumers=tuple((e.target, e.target_port) for e in placed.edges),
        sinks=tuple(sorted(quantizer.sinks, key=flow.order.__getitem__)),
        shape=shape,
        channel_axes=(1,) if quantizer.per_channel and len(shape) > 1 and shape[1] > 0 else (),
        symmetric=any(sink in symmetric for sink in quantizer.sinks),
        unified=shared.get(min(quantizer.unified, default="")),
        non_negative=_is_non_negative(flow, edge.source),
    )


def _shared_ranges(placed: Iterable[Placed]) -> dict[str, str]:
    """Label of the shared range by label. A range with one quantizer is not shared."""
    unified = [sorted(p.quantizer.unified) for p in placed if p.quantizer.unified]
    shared = Components()
    for labels in unified:
        shared.join(*labels)
    root = shared.roots()
    sizes = Counter(root[labels[0]] for labels in unified)
    return {label: r for label, r in root.items() if sizes[r] > 1}


def _is_non_negative(flow: Flow, name: str) -> bool:
    """Whether an output cannot be negative, by the type of its producer, past operations that move values."""
    while (row := operation(flow.type[name])).moves and not row.brings and len(flow.in_edges[name]) == 1:
        name = flow.in_edges[name][0].source
    if flow.type[name] == "Clamp":
        return float(flow.nodes[name].get_attributes()["min"]) >= 0
    return row.non_negative


def _first_convolutions(flow: Flow, weighted: Collection[str]) -> set[str]:
    """The first convolutions after each model input, whatever stays in float.

    A layer does not become a first one because layers before it stay in float: the model must be the same, whether a
    plan or an ignored scope leaves them in float.
    """
    first: set[str] = set()
    for start in (name for name in flow.names if flow.type[name] == "Parameter"):
        seen: set[str] = set()
        stack = [start]
        while stack:
            name = stack.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in weighted and flow.type[name] == "Convolution":
                first.add(name)
            else:
                stack.extend(flow.readers[name])
    return first


def _shape(output: ov.Output) -> tuple[int, ...]:
    shape = output.get_partial_shape()
    if shape.rank.is_dynamic:
        return ()
    return tuple(-1 if dimension.is_dynamic else dimension.get_length() for dimension in shape)
