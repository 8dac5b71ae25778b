"""Few units of many groups: blocks that follow each other, and which of them hand tensors to which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import openvino as ov

from autoq.graph import QuantizationGraph, unique_names


def blocks(graph: QuantizationGraph, groups_ms: Mapping[str, float], count: int) -> dict[str, tuple[str, ...]]:
    """Cuts the groups of a model, in topological order, into blocks that weigh about the same.

    A group weighs half by its time and half by being one of many, so that neither a few slow groups nor a crowd of fast
    ones make a block of their own.

    Args:
        graph: Of the model.
        groups_ms: Time of the float model by group; groups of no time may be missing.
        count: Of blocks; fewer where there are fewer groups.
    """
    names = [group.name for group in graph.groups]
    times = np.array([groups_ms.get(name, 0.0) for name in names])
    weights = times / max(times.sum(), 1e-9) + 1 / len(names)
    ends = [0, *_cuts(weights, min(count, len(names)))]
    return {f"block{number:02d}": tuple(names[begin:end]) for number, (begin, end) in enumerate(pairwise(ends))}


def _cuts(weights: Sequence[float] | np.ndarray, count: int) -> list[int]:
    """Where runs end, of which the heaviest is as light as can be; found by dynamic programming."""
    total = np.concatenate([[0.0], np.cumsum(weights)])
    heaviest = np.where(np.arange(len(total)) == 0, 0.0, np.inf)
    before: list[np.ndarray] = []
    for _ in range(count):
        # From each beginning to each end, not empty.
        run = np.triu(total[None, :] - total[:, None], 1) + np.where(np.tri(len(total), dtype=bool), np.inf, 0.0)
        cost = np.maximum(heaviest[:, None], run)
        before.append(cost.argmin(axis=0))
        heaviest = cost.min(axis=0)
    ends = [len(total) - 1]
    for beginnings in reversed(before[1:]):
        ends.append(int(beginnings[ends[-1]]))
    return ends[::-1]


def neighbours(
    model: ov.Model, graph: QuantizationGraph, units: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, str], ...]:
    """Pairs of units, the one of which reads what the other computes, with nothing of a third between."""
    unit_of = {group: unit for unit, groups in units.items() for group in groups}
    unit_of_op = {op: unit_of[group.name] for group in graph.groups for op in group.ops}
    order = {unit: place for place, unit in enumerate(units)}
    sources: dict[str, frozenset[str]] = {}
    pairs: set[tuple[str, str]] = set()
    for name, op in unique_names(model).items():
        found = frozenset().union(*(sources[value.get_node().get_name()] for value in op.input_values()))
        unit = unit_of_op.get(name)
        if unit is not None:
            pairs |= {tuple(sorted((source, unit), key=order.__getitem__)) for source in found if source != unit}
        sources[op.get_name()] = found if unit is None else frozenset({unit})
    return tuple(sorted(pairs, key=lambda pair: (order[pair[0]], order[pair[1]])))
