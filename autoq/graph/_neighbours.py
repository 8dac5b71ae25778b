"""Which units hand tensors to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import openvino as ov

from autoq.graph._flow import Flow
from autoq.graph._types import QuantizationGraph


def neighbours(
    model: ov.Model, graph: QuantizationGraph, units: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, str], ...]:
    """Pairs of units between which a tensor flows with no operation of another unit in between.

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
    # Units whose values an operation hands on.
    handed: dict[str, frozenset[str]] = {}
    found: dict[frozenset[str], tuple[str, str]] = {}
    for name in flow.names:
        sources = frozenset[str]().union(*(handed[edge.source] for edge in flow.in_edges[name] if edge.is_float))
        unit = owner.get(name)
        if unit is None:
            handed[name] = sources
            continue
        handed[name] = frozenset({unit})
        for source in sorted(sources - {unit}):
            found.setdefault(frozenset({source, unit}), (source, unit))
    return tuple(found.values())
