"""Which units hand tensors to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_

import openvino as ov

from autoq.graph._flow import Flow
from autoq.graph._types import QuantizationGraph


def neighbours(
    model: ov.Model, graph: QuantizationGraph, units: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, str], ...]:
    """Pairs of units between which a tensor flows with no operation of another unit in between.

    Of values that come together, those that another one of them was made of are left out: what a residual connection
    hands on past a block, that block has read. Otherwise each block of a transformer were a neighbour of all others.

    Args:
        model: The model that the graph is of.
        graph: Its groups.
        units: Groups by unit.

    Returns:
        Pairs in the order of the flow, each once, whichever of the two comes first.
    """
    unit_of_group = {group: unit for unit, groups in units.items() for group in groups}
    owner = {op: unit_of_group[group.name] for group in graph.groups if group.name in unit_of_group for op in group.ops}
    flow = Flow.of(model)
    # Operations of units whose values an operation hands on; and, as bits, all that an operation of a unit was made of.
    handed: dict[str, frozenset[str]] = {}
    bit = {name: 1 << number for number, name in enumerate(owner)}
    made_of: dict[str, int] = {}
    found: dict[frozenset[str], tuple[str, str]] = {}
    for name in flow.names:
        sources = frozenset[str]().union(*(handed[edge.source] for edge in flow.in_edges[name] if edge.is_float))
        read = reduce(or_, (made_of[source] for source in sources), 0)
        unit = owner.get(name)
        handed[name] = frozenset(source for source in sources if not read & bit[source])
        if unit is None:
            continue
        for source in sorted({owner[source] for source in handed[name]} - {unit}):
            found.setdefault(frozenset({source, unit}), (source, unit))
        made_of[name] = reduce(or_, map(bit.__getitem__, sources), read)
        handed[name] = frozenset({name})
    return tuple(found.values())
