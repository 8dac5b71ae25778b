"""Few units of many groups: blocks that follow each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from autoq.graph import QuantizationGraph


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
