"""The solver: it finds the places of the quantizers that operations ask for.

Every float input of a quantizable operation asks for a quantizer. From there it moves up, against the data:

1. If every reader of an output has a quantizer, these merge into one on the output of the producer.
2. It passes through an operation that only moves values, to each of its float inputs.
3. It passes up through a Concat in the same way. If a convolution (but not a depthwise one) or a matrix product reads
   the Concat, the quantizers of its inputs share one range.
4. Otherwise it stays where it is: below a producer that computes, or on its own edge, if a sibling is float or
   quantizes in another scheme.

Operations are visited in reverse topological order, so that all readers are settled before their producer: one sweep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from autoq.core import NumberKind, Preset
from autoq.graph.flow import Edge, Flow, Match
from autoq.graph.operations import operation


@dataclass(frozen=True, slots=True)
class Quantizer:
    """A quantizer on its way up.

    Attributes:
        sinks: Operations that asked for it.
        per_channel: Whether every operation that asked for it allows a range per channel.
        symmetric: Whether zero is the middle of its range.
        unified: Quantizers with a common label share one range.
        moved: Whether it has passed through an operation.
    """

    sinks: frozenset[str]
    per_channel: bool
    symmetric: bool
    unified: frozenset[str] = frozenset()
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Placed:
    """A quantizer at its place.

    Attributes:
        quantizer: The quantizer.
        edges: The edges that it quantizes.
        at_output: Whether it stands on the producer's output, and not on single edges.
    """

    quantizer: Quantizer
    edges: tuple[Edge, ...]
    at_output: bool


@dataclass(frozen=True)
class Blocks:
    """Operations that the runtime fuses, as one node each.

    Attributes:
        head: First operation of the block of an operation; the operation itself if it is not fused.
        tail: Last operation of a block, by its head.
    """

    head: Mapping[str, str]
    tail: Mapping[str, str]

    @classmethod
    def of(cls, flow: Flow, fused: Iterable[Match]) -> Blocks:
        """The blocks of a model, from the fused patterns found in it."""
        head = {name: name for name in flow.names}
        tail = dict(head)
        for match in fused:
            head.update(dict.fromkeys(match.ops, match.ops[0]))
            tail[match.ops[0]] = match.ops[-1]
        return cls(head, tail)


def place(
    flow: Flow,
    blocks: Blocks,
    floats: Mapping[str, str],
    depthwise: frozenset[str],
    *,
    preset: Preset,
    numbers: NumberKind,
    quantize_outputs: bool,
) -> list[Placed]:
    """Places the activation quantizers of a model.

    Args:
        flow: The model.
        blocks: The fused operations.
        floats: Operations that stay in float.
        depthwise: Convolutions whose input may have a range per channel.
        preset: Scheme of the quantizers, unless an operation prescribes one.
        numbers: Kind of the quantized numbers: operations may ask for other quantizers with integers than with others.
        quantize_outputs: Whether the model's outputs ask for quantizers too.

    Returns:
        Quantizers in topological order of their producers.
    """
    pending: dict[Edge, Quantizer] = {}
    placed: list[Placed] = []
    for name in reversed(flow.names):
        if blocks.head[name] != name:
            continue
        _settle(flow, blocks, floats, depthwise, name, pending, placed)
        asks = operation(flow.type[name]).quantized or (quantize_outputs and flow.type[name] == "Result")
        if name not in floats and asks:
            _ask(flow, depthwise, name, pending, preset, numbers)
    kept = _needed(flow, placed)
    return sorted(kept, key=lambda p: (flow.order[p.edges[0].source], p.edges[0].target, p.edges[0].target_port))


def not_yet_quantized(placed: Placed) -> Placed:
    """Leaves out edges on which the model has a quantizer, so that nothing is quantized twice."""
    return replace(placed, edges=tuple(edge for edge in placed.edges if not edge.quantized))


def _ask(
    flow: Flow,
    depthwise: frozenset[str],
    name: str,
    pending: dict[Edge, Quantizer],
    preset: Preset,
    numbers: NumberKind,
) -> None:
    """Puts a new quantizer on every float input of an operation that runs on quantized inputs."""
    row = operation(flow.type[name])
    ports = row.ports(numbers)
    quantizer = Quantizer(frozenset({name}), name in depthwise, row.symmetric or preset is Preset.PERFORMANCE)
    for edge in flow.in_edges[name]:
        if edge.is_float and (ports is None or edge.target_port in ports):
            pending[edge] = quantizer


def _settle(
    flow: Flow,
    blocks: Blocks,
    floats: Mapping[str, str],
    depthwise: frozenset[str],
    name: str,
    pending: dict[Edge, Quantizer],
    placed: list[Placed],
) -> None:
    """Moves the quantizers below a block to its output, and on to its inputs if it only moves values."""
    edges = flow.out_edges[blocks.tail[name]]
    waiting = [edge for edge in edges if edge in pending]
    if not waiting:
        return
    if len(waiting) < len(edges) or len({pending[edge].symmetric for edge in edges}) > 1:
        # Case 4: a sibling is float, a model output, or of another scheme.
        placed.extend(Placed(pending[edge], (edge,), at_output=False) for edge in waiting)
        return
    merged = _merge([pending[edge] for edge in edges])
    inputs = [edge for edge in flow.in_edges[name] if edge.is_float]
    if operation(flow.type[name]).moves and name not in floats and inputs:
        moved = replace(merged, moved=True)
        unify = any(operation(flow.type[sink]).unifies for sink in merged.sinks - depthwise)
        if flow.type[name] == "Concat" and len(inputs) > 1 and unify:
            moved = replace(moved, per_channel=False, unified=merged.unified | {name})
        pending.update(dict.fromkeys(inputs, moved))
        return
    if len({edge.source_port for edge in edges}) > 1:
        placed.extend(Placed(merged, (edge,), at_output=False) for edge in edges)
    else:
        placed.append(Placed(merged, edges, at_output=True))


def _merge(quantizers: list[Quantizer]) -> Quantizer:
    return Quantizer(
        sinks=frozenset().union(*(q.sinks for q in quantizers)),
        per_channel=all(q.per_channel for q in quantizers),
        symmetric=quantizers[0].symmetric,
        unified=frozenset().union(*(q.unified for q in quantizers)),
        moved=any(q.moved for q in quantizers),
    )


def _needed(flow: Flow, placed: list[Placed]) -> list[Placed]:
    """Drops the quantizer of an elementwise operation with a constant, if it serves nothing else and could not move."""

    def idle(p: Placed) -> bool:
        if len(p.quantizer.sinks) != 1 or p.quantizer.moved:
            return False
        (sink,) = p.quantizer.sinks
        return operation(flow.type[sink]).is_elementwise and sum(edge.is_float for edge in flow.in_edges[sink]) == 1

    return [p for p in placed if not idle(p)]
