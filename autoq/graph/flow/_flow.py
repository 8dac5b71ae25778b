"""The part of a model through which data flow, without constants and arithmetic on shapes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import cached_property

import openvino as ov

from autoq.graph.operations import FLOAT_TYPES, operation, unique_names


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor on its way from one operation to another.

    Attributes:
        source: Unique name of the producer.
        source_port: Output port of the producer.
        target: Unique name of the reader.
        target_port: Input port of the reader.
        is_float: Whether the values are floating point; only such values can be quantized.
        quantized: Whether the model has a FakeQuantize on this edge.
    """

    source: str
    source_port: int
    target: str
    target_port: int
    is_float: bool
    quantized: bool = False


@dataclass(frozen=True)
class Flow:
    """Operations that depend on a model input, and the edges between them.

    A FakeQuantize is a property of edges here and not an operation, so that a partly quantized model looks like its
    float original.

    Attributes:
        nodes: Operation by unique name for the whole model, in topological order.
        names: Operations that data flow through, in topological order.
        out_edges: Edges by producer, between operations of `names` only.
        in_edges: Edges by reader, between operations of `names` only.
    """

    nodes: dict[str, ov.Node]
    names: tuple[str, ...]
    out_edges: dict[str, tuple[Edge, ...]]
    in_edges: dict[str, tuple[Edge, ...]]

    @classmethod
    def of(cls, model: ov.Model) -> Flow:
        """Follows data forward from parameters and state. Operations after a ShapeOf carry shapes, not data."""
        nodes = unique_names(model)
        name_of = _unique_by_own_name(nodes)
        starts = [name for name, op in nodes.items() if op.get_type_name() in {"Parameter", "ReadValue"}]
        starts += [name for name, op in nodes.items() if _is_constant_lookup(op)]
        edges = {name: _edges(name, op, name_of) for name, op in nodes.items()}
        quantizers = {name for name, op in nodes.items() if op.get_type_name() == "FakeQuantize"}
        for name in reversed(nodes):
            edges[name] = [through for edge in edges[name] for through in _through(edge, quantizers, edges)]
        reached: set[str] = set()
        queue = deque(starts)
        while queue:
            name = queue.popleft()
            if name in reached or nodes[name].get_type_name() == "ShapeOf":
                continue
            reached.add(name)
            queue.extend(edge.target for edge in edges[name])
        names = tuple(name for name in nodes if name in reached)
        out_edges = {name: tuple(edge for edge in edges[name] if edge.target in reached) for name in names}
        in_edges: dict[str, list[Edge]] = {name: [] for name in names}
        for name in names:
            for edge in out_edges[name]:
                in_edges[edge.target].append(edge)
        ordered = {name: tuple(sorted(found, key=lambda e: e.target_port)) for name, found in in_edges.items()}
        return cls(nodes, names, out_edges, ordered)

    def name_of(self, node: ov.Node) -> str:
        """Unique name of an operation of the model."""
        return self._unique[str(node.get_name())]

    @cached_property
    def _unique(self) -> dict[str, str]:
        return _unique_by_own_name(self.nodes)

    @cached_property
    def type(self) -> dict[str, str]:
        """OpenVINO type by name."""
        return {name: self.nodes[name].get_type_name() for name in self.names}

    @cached_property
    def of_type(self) -> dict[str, list[str]]:
        """Names by OpenVINO type, in topological order."""
        found: dict[str, list[str]] = {}
        for name, kind in self.type.items():
            found.setdefault(kind, []).append(name)
        return found

    @cached_property
    def order(self) -> dict[str, int]:
        """Topological position by name."""
        return {name: position for position, name in enumerate(self.names)}

    @cached_property
    def readers(self) -> dict[str, frozenset[str]]:
        """Direct readers by name."""
        return {name: frozenset(edge.target for edge in self.out_edges[name]) for name in self.names}

    @cached_property
    def producers(self) -> dict[str, frozenset[str]]:
        """Direct producers by name."""
        return {name: frozenset(edge.source for edge in self.in_edges[name]) for name in self.names}


def _unique_by_own_name(nodes: dict[str, ov.Node]) -> dict[str, str]:
    # OpenVINO's own names of operations are unique, unlike friendly names, but they differ in a clone.
    return {str(op.get_name()): name for name, op in nodes.items()}


def _is_constant_lookup(op: ov.Node) -> bool:
    """Whether an operation is a Gather from a constant float table: an embedding, even with constant indices."""
    if op.get_type_name() != "Gather":
        return False
    source = op.input_value(0).get_node()
    while operation(source.get_type_name()).wraps_weight or source.get_type_name() == "FakeQuantize":
        source = source.input_value(0).get_node()
    is_float = op.input_value(0).get_element_type().get_type_name() in FLOAT_TYPES
    return source.get_type_name() == "Constant" and is_float


def _through(edge: Edge, quantizers: set[str], edges: dict[str, list[Edge]]) -> list[Edge]:
    """The edges to the readers of a FakeQuantize, which replace the edge to its data input."""
    if edge.target not in quantizers or edge.target_port != 0:
        return [edge]
    return [replace(e, source=edge.source, source_port=edge.source_port, quantized=True) for e in edges[edge.target]]


def _edges(name: str, op: ov.Node, name_of: dict[str, str]) -> list[Edge]:
    found = []
    for port, output in enumerate(op.outputs()):
        is_float = output.get_element_type().get_type_name() in FLOAT_TYPES
        # A reader may belong to another model: one that shares operations with this one, or contains this one.
        readers = [(str(t.get_node().get_name()), t.get_index()) for t in output.get_target_inputs()]
        targets = [(name_of[reader], index) for reader, index in readers if reader in name_of]
        found += [Edge(name, port, target, target_port, is_float) for target, target_port in sorted(targets)]
    return found
