"""Finds the channels of a model that can go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.graph.channels._branches import with_branches
from autoq.graph.channels._layers import channel_layers
from autoq.graph.channels._numbers import AxisLabels, ChannelNumbers, Labels
from autoq.graph.channels._passage import Passage
from autoq.graph.channels._probe import probe
from autoq.graph.channels._rules import carried
from autoq.graph.channels._shape_values import spelled_shape, spells_shape
from autoq.graph.channels._types import ChannelAxes, ChannelGraph, ChannelGroup, ChannelLayer, FixedChannels, PortKey
from autoq.graph.flow import Flow
from autoq.graph.operations import IgnoredScope, given_names, unique_names

# Types of stored numbers that stand several to a byte.
_WHOLE_BYTES = 8


def find_channels(
    model: ov.Model, scope: IgnoredScope | None = None, shapes: Mapping[str, Sequence[int]] | None = None
) -> ChannelGraph:
    """Follows the channels of a model from its constants to its outputs.

    Each axis of a constant has channel numbers, which pass through operations. Numbers that meet are joined: they can
    only go together. What an input of the model has, and what an output has, stays.

    Args:
        model: A model in normal form; never modified. Bodies of If, Loop and TensorIterator keep their channels.
        scope: Operations that keep all channels that they read and make.
        shapes: Shapes that inputs were seen with, by name, for inputs whose lengths are open.

    Raises:
        PlanError: A rule of the scope matches nothing.
    """
    nodes = unique_names(model)
    known = probe(model, shapes)
    probed = {} if known is None else unique_names(known)
    layers = tuple(channel_layers(nodes, probed))
    if known is None:
        given = ", ".join(str(parameter.get_partial_shape()) for parameter in model.get_parameters())
        fixed = [
            FixedChannels(layer.op, 0, f"no shape that fits the inputs, {given}, was found: give them lengths")
            for layer in layers
        ]
        return ChannelGraph((), tuple(fixed), layers, {}, {})
    followed = _follow(nodes, probed, _ignored(model, scope))
    reasons = followed.numbers.reasons()
    made = {
        layer.op: followed.numbers.roots(own)
        for layer in layers
        if (own := _made(followed, layer)) is not None and len(own)
    }
    free = np.array(sorted({root for own in made.values() for root in own.tolist()} - reasons.keys()), np.int64)
    reads, makes = (_numbered(ports, followed.numbers, free) for ports in (followed.reads, followed.makes))
    groups = _groups(layers, made, followed, free, _parts(makes, free))
    return ChannelGraph(
        groups=tuple(with_branches(model, layers, groups, reads)),
        fixed=tuple(_fixed(made, reasons)),
        layers=layers,
        reads=reads,
        makes=makes,
        shapes=dict(_shapes({name: (nodes[name], probed[name]) for name, _ in makes})),
    )


def _shapes(changing: Mapping[str, tuple[ov.Node, ov.Node]]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Shapes that are spelled, of operations that are given with their probes."""
    for name, (op, known) in changing.items():
        if spells_shape(op):
            found = spelled_shape(op, list(known.get_input_shape(0)), list(known.get_output_shape(0)))
            yield name, tuple(found or ())


@dataclass(frozen=True, slots=True)
class _Followed:
    """Numbers of all inputs and outputs."""

    numbers: ChannelNumbers = field(default_factory=ChannelNumbers)
    reads: dict[PortKey, Labels] = field(default_factory=dict)
    makes: dict[PortKey, Labels] = field(default_factory=dict)


def _ignored(model: ov.Model, scope: IgnoredScope | None) -> dict[str, str]:
    """Operations that keep their channels, with the rule that says so."""
    if scope is None:
        return {}
    flow = Flow.of(model)
    types = {name: op.get_type_name() for name, op in flow.nodes.items()}
    return scope.renamed(given_names(model)).resolve(types, flow.readers)


def _follow(nodes: Mapping[str, ov.Node], known: Mapping[str, ov.Node], ignored: Mapping[str, str]) -> _Followed:
    found = _Followed()
    names = {op.get_name(): name for name, op in known.items()}
    for (name, original), op in zip(nodes.items(), known.values(), strict=True):
        kind = op.get_type_name()
        if kind == "Constant":
            continue
        given = []
        for port, value in enumerate(op.input_values()):
            source = value.get_node()
            if source.get_type_name() == "Constant":
                labels = _of_constant(source, found.numbers)
            else:
                labels = found.makes[names[source.get_name()], value.get_index()]
            found.reads[name, port] = labels
            given.append(labels)
        if kind == "Parameter":
            made = [_of_input(op, found.numbers, name)]
        elif kind == "Result":
            made = [given[0]]
            source = op.input_value(0)
            # An output without a name of its own is known by the operation that gives it.
            own = source.get_names() - {name}
            called = min(own, default=source.get_node().get_friendly_name())
            _fix(given, found.numbers, f"output {called!r} of the model gives it")
        else:
            made = carried(Passage(op, f"{kind} {name!r}", given, found.numbers, original))
            if name in ignored:
                _fix([*given, *made], found.numbers, f"{name!r} is {ignored[name]}")
        found.makes.update({(name, port): labels for port, labels in enumerate(made)})
    return found


def _of_constant(op: ov.Node, numbers: ChannelNumbers) -> Labels:
    shape = op.get_output_shape(0)
    if op.get_element_type().bitwidth < _WHOLE_BYTES:
        return tuple(numbers.fresh_fixed(n, "its weight is stored in few bits") if n > 1 else None for n in shape)
    return tuple(numbers.fresh(length) if length > 1 else None for length in shape)


def _of_input(op: ov.Node, numbers: ChannelNumbers, name: str) -> Labels:
    reason = f"it is part of input {name!r} of the model"
    return tuple(numbers.fresh_fixed(length, reason) if length > 1 else None for length in op.get_output_shape(0))


def _fix(several: Iterable[Labels], numbers: ChannelNumbers, reason: str) -> None:
    for labels in several:
        for own in labels:
            numbers.fix(own, reason)


def _made(followed: _Followed, layer: ChannelLayer) -> AxisLabels | None:
    labels = followed.makes[layer.op, 0]
    return labels[layer.output_axis] if labels else None


def _groups(
    layers: Iterable[ChannelLayer],
    made: Mapping[str, AxisLabels],
    followed: _Followed,
    free: AxisLabels,
    part_of: Mapping[int, int],
) -> list[ChannelGroup]:
    """Free channels, in groups: layers that share one make the same group."""
    groups: list[tuple[list[str], set[int]]] = []
    for op, own in made.items():
        names, channels = [op], set(own[np.isin(own, free, kind="table")].tolist())
        if not channels:
            continue
        # Groups were made in topological order of their first layers, which they keep.
        sharing = [group for group in groups if group[1] & channels]
        for group in sharing[1:]:
            groups.remove(group)
        for earlier, numbers in sharing:
            names, channels = [*earlier, *names], numbers | channels
        if sharing:
            groups[groups.index(sharing[0])] = (names, channels)
        else:
            groups.append((names, channels))
    order = {layer.op: place for place, layer in enumerate(layers)}
    read = {layer.op: _read(followed, layer) for layer in layers}
    found = []
    for names, channels in groups:
        producers = tuple(sorted(names, key=order.__getitem__))
        own = made[producers[0]]
        consumers = tuple(op for op, numbers in read.items() if numbers & channels)
        _, counts = np.unique(own[np.isin(own, list(channels))], return_counts=True)
        parts: dict[int, list[int]] = {}
        for number in sorted(channels):
            parts.setdefault(part_of[number], []).append(number)
        together = tuple(map(tuple, parts.values()))
        found.append(ChannelGroup(producers[0], producers, consumers, together, len(own), int(counts.min())))
    return found


def _parts(makes: Mapping[PortKey, ChannelAxes], free: AxisLabels) -> dict[int, int]:
    """Numbers that stand in the same tensors have the same part."""
    parts = np.zeros(len(free), np.int64)
    # Tensors behind each other mostly have the same channels.
    for own in {axis.tobytes(): axis for axes in makes.values() for axis in axes if axis is not None}.values():
        _, parts = np.unique(2 * parts + np.isin(free, own, kind="table"), return_inverse=True)
    return dict(zip(free.tolist(), parts.tolist(), strict=True))


def _read(followed: _Followed, layer: ChannelLayer) -> set[int]:
    labels = followed.reads[layer.op, layer.port]
    own = labels[layer.axis] if labels else None
    return set() if own is None else set(followed.numbers.roots(own).tolist())


def _fixed(made: Mapping[str, AxisLabels], reasons: Mapping[int, str]) -> Iterable[FixedChannels]:
    for op, own in made.items():
        staying = [root for root in own.tolist() if root in reasons]
        if staying:
            yield FixedChannels(op, len(staying), reasons[staying[0]])


def _numbered(ports: Mapping[PortKey, Labels], numbers: ChannelNumbers, free: AxisLabels) -> dict[PortKey, ChannelAxes]:
    """Numbers of free channels by port; -1 where channels stay."""
    found: dict[PortKey, ChannelAxes] = {}
    for port, labels in ports.items():
        axes: list[NDArray[np.int64] | None] = []
        for own in labels:
            roots = None if own is None else numbers.roots(own)
            can_go = None if roots is None else np.isin(roots, free, kind="table")
            axes.append(None if roots is None or can_go is None or not can_go.any() else np.where(can_go, roots, -1))
        if any(axis is not None for axis in axes):
            found[port] = tuple(axes)
    return found
