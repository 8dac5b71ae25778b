"""Branches that go with all channels of a group: what the layers behind them give is the same for all inputs then.

1. What a layer gives that reads channels of the group alone is constant then, and so is what is computed element by
   element from that and from constants. Where that meets another tensor, and the result has the shape of this one, a
   branch ends: at the sum with a residual stream, for example, or at the product with a gate. On the way there, one
   number for each channel may also get another shape.
2. Without what lies before its ends, nothing of the group is left on the way to an output of the model.
3. Where two tensors meet, one branch at most ends: without both of them, there would be a constant.
4. An operation whose name another one has stays: names tell operations before and after.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import openvino as ov

from autoq.graph.channels._types import BranchExit, ChannelAxes, ChannelBranch, ChannelGroup, ChannelLayer, PortKey
from autoq.graph.operations import Samples, operation, unique_names

_STAY = frozenset({"Constant", "Parameter"})


def with_branches(
    model: ov.Model,
    layers: Iterable[ChannelLayer],
    groups: Iterable[ChannelGroup],
    reads: Mapping[PortKey, ChannelAxes],
) -> Iterator[ChannelGroup]:
    """The groups, each with its branch if it has one.

    Args:
        model: Never modified.
        layers: Its layers.
        groups: Groups of channels, in topological order.
        reads: Channel numbers of each input in which a channel can go.
    """
    edges, layer_of = _Edges.of(model), {layer.op: layer for layer in layers}
    counts = Counter(op.get_friendly_name() for op in edges.nodes.values())
    taken: set[str] = set()
    for group in groups:
        alone = [layer_of[op] for op in group.consumers if _reads_alone(layer_of[op], group, reads)]
        exits = [last for layer in alone if (last := _exit(edges, layer)) is not None]
        ends = Counter(name for last in exits for _, (name, _) in last.ends)
        own = tuple(last for last in exits if all(ends[name] == 1 and name not in taken for _, (name, _) in last.ends))
        gone = edges.behind({port for last in own for _, port in last.ends}) if own else frozenset[str]()
        together = gone.issuperset({*group.producers, *group.consumers})
        if not own or not together or any(counts[edges.nodes[name].get_friendly_name()] > 1 for name in gone):
            yield group
            continue
        taken |= {name for last in own for _, (name, _) in last.ends}
        ops = frozenset(name for name in gone if edges.nodes[name].get_type_name() not in _STAY)
        yield replace(group, branch=ChannelBranch(own, ops))


@dataclass(frozen=True, slots=True)
class _Edges:
    """What reads what, by unique names.

    Attributes:
        nodes: Operations.
        sources: The operations that each one's inputs come from.
        readers: Inputs that read any output of an operation.
        ends: Outputs of the model, and what writes its state.
    """

    nodes: Mapping[str, ov.Node]
    sources: Mapping[str, Sequence[str]]
    readers: Mapping[str, Sequence[PortKey]]
    ends: Sequence[str]

    @classmethod
    def of(cls, model: ov.Model) -> Self:
        nodes = unique_names(model)
        name_of = {op.get_name(): name for name, op in nodes.items()}
        sources = {name: [name_of[v.get_node().get_name()] for v in op.input_values()] for name, op in nodes.items()}
        readers: dict[str, list[PortKey]] = {name: [] for name in nodes}
        for name, read in sources.items():
            for port, source in enumerate(read):
                readers[source].append((name, port))
        ends = [name_of[op.get_name()] for op in (*model.get_results(), *model.get_sinks())]
        return cls(nodes, sources, readers, ends)

    def behind(self, cut: Collection[PortKey]) -> frozenset[str]:
        """Operations that nothing needs where some inputs are not read."""
        seen, waiting = set(self.ends), list(self.ends)
        while waiting:
            name = waiting.pop()
            for port, source in enumerate(self.sources[name]):
                if source not in seen and (name, port) not in cut:
                    seen.add(source)
                    waiting.append(source)
        return frozenset(self.nodes.keys() - seen)

    def is_constant(self, name: str) -> bool:
        """Whether it is a Constant, perhaps behind Converts."""
        while self.nodes[name].get_type_name() == "Convert":
            name = self.sources[name][0]
        return bool(self.nodes[name].get_type_name() == "Constant")


def _reads_alone(layer: ChannelLayer, group: ChannelGroup, reads: Mapping[PortKey, ChannelAxes]) -> bool:
    """Whether a layer reads no channels but those of a group."""
    own = reads[layer.op, layer.port][layer.axis]
    return own is not None and bool(np.isin(own, group.channels).all())


def _exit(edges: _Edges, layer: ChannelLayer) -> BranchExit | None:
    """The exit that a layer is; None if it is none."""
    shape = edges.nodes[layer.op].get_output_partial_shape(0)
    if shape.rank.is_dynamic or shape[layer.output_axis].is_dynamic:
        return None
    width = shape[layer.output_axis].get_length()
    constant, waiting, ends = {layer.op}, [layer.op], []
    while waiting:
        value = waiting.pop()
        for name, port in edges.readers[value]:
            op = edges.nodes[name]
            if name in constant:
                continue
            if port == 0 and _orders_anew(op, width):
                constant.add(name)
                waiting.append(name)
                continue
            if operation(op.get_type_name()).samples is not Samples.EACH:
                return None
            if all(source in constant or edges.is_constant(source) for source in edges.sources[name]):
                constant.add(name)
                waiting.append(name)
            elif op.get_input_size() == 2:
                ends.append((value, (name, port)))
            else:
                return None
    # What was read before the rest of its inputs was found to be constant is no end.
    own = tuple(end for end in ends if end[1][0] not in constant)
    return BranchExit(layer.op, own) if own and all(_keeps_shape(edges, *port) for _, port in own) else None


def _orders_anew(op: ov.Node, width: int) -> bool:
    """Whether an operation gives so many numbers of each sample another shape."""
    shapes = [op.get_input_partial_shape(0), op.get_output_partial_shape(0)]
    if operation(op.get_type_name()).samples is not Samples.ORDER or any(shape.rank.is_dynamic for shape in shapes):
        return False
    lengths = [list(shape)[1:] for shape in shapes]
    return all(
        all(length.is_static for length in own) and math.prod(length.get_length() for length in own) == width
        for own in lengths
    )


def _keeps_shape(edges: _Edges, name: str, port: int) -> bool:
    """Whether the result of two tensors has the shape of the one beside a port, which is computed from an input."""
    op = edges.nodes[name]
    return bool(op.get_input_partial_shape(1 - port) == op.get_output_partial_shape(0))
