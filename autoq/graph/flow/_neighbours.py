"""Pairs of units that pass tensors to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_

import openvino as ov

from autoq.graph.flow._flow import Flow
from autoq.graph.operations import QuantizationGraph

# Up to so many pairs for each unit, all pairs are given.
_MANY = 2


def neighbours(
    model: ov.Model, graph: QuantizationGraph, units: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, str], ...]:
    """Pairs of units with a tensor that flows from one to the other without passing through a third unit.

    Residual connections would make each block of a transformer a neighbour of all others. So if there are more than two
    pairs for each unit, some are left out: of values that meet in an operation, a value does not count if another of
    them was computed from it. A residual connection passes by a block that has read the same value.

    Args:
        model: The model of the graph.
        graph: Graph with the groups.
        units: Groups by unit.

    Returns:
        Pairs in the order of the flow, each once.
    """
    unit_of_group = {group: unit for unit, groups in units.items() for group in groups}
    owner = {op: unit_of_group[group.name] for group in graph.groups if group.name in unit_of_group for op in group.ops}
    flow = Flow.of(model)
    every = _pairs(flow, owner, nearest=False)
    return every if len(every) <= _MANY * len(units) else _pairs(flow, owner, nearest=True)


def _pairs(flow: Flow, owner: Mapping[str, str], *, nearest: bool) -> tuple[tuple[str, str], ...]:
    """The pairs, all or those that are nearest.

    Args:
        flow: The flow of the model.
        owner: Unit by operation.
        nearest: Leave out values that meet another value that was computed from them.
    """
    # By operation: the operations of units whose values it passes on, and, as bits, all operations of units that it
    # depends on.
    handed: dict[str, frozenset[str]] = {}
    bit = {name: 1 << number for number, name in enumerate(owner)}
    made_of: dict[str, int] = {}
    found: dict[frozenset[str], tuple[str, str]] = {}
    for name in flow.names:
        sources = frozenset[str]().union(*(handed[edge.source] for edge in flow.in_edges[name] if edge.is_float))
        read = reduce(or_, (made_of[source] for source in sources), 0)
        left_out = read if nearest else 0
        handed[name] = frozenset(source for source in sources if not left_out & bit[source])
        unit = owner.get(name)
        if unit is None:
            continue
        for source in sorted({owner[source] for source in handed[name]} - {unit}):
            found.setdefault(frozenset({source, unit}), (source, unit))
        made_of[name] = reduce(or_, map(bit.__getitem__, sources), read)
        handed[name] = frozenset({name})
    return tuple(found.values())
