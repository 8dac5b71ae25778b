"""Sequential sub-graphs: the parts between operations that all data pass.

The idea is from Markovich-Golan et al., "Automatic mixed precision for optimizing gained time with constrained loss
mean-squared-error based on model partition to sequential sub-graphs" (arXiv 2505.13060). In the order of the flow, the
network is cut after each operation that no edge passes by. The part between two cuts is a residual block, an inverted
bottleneck, one half of a transformer layer, or a single layer of a chain.

Operations that depend on a group and on which a group depends have numbers 0..n-1 in topological order; -1 stands for
everything before them, n for everything after. An edge from s to t passes by s+1..t-1. A group whose first and last
operations are a and b forbids cuts at a..b-1. The number of edges that pass by each operation is a sum of differences,
so that all cuts are found in time linear in the size of the graph.

An edge that passes by more groups than the largest block can have joins distant parts of a network: a skip connection
of a U-Net, or a lateral one of a feature pyramid. The part between is then no block. If a tensor is read so far away,
as the mask or the positions are by all layers of a decoder, only its nearest reader counts. Its producer is not taken
as the beginning of the network, after which all cuts would have to come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from autoq.graph.flow._flow import Flow
from autoq.graph.operations import QuantizerGroup

LARGEST_BLOCK = 16


def sequential_subgraphs(flow: Flow, groups: Sequence[QuantizerGroup]) -> tuple[tuple[QuantizerGroup, ...], ...]:
    """Cuts groups into runs; each run lies between two operations that all data pass.

    A network with many interwoven branches may have a run of more than `LARGEST_BLOCK` groups. Such a run is cut
    further, at places that the fewest edges pass by.

    Args:
        flow: Flow of the model.
        groups: Groups in topological order.
    """
    if not groups:
        return ()
    path = _between(flow, groups)
    place = {name: i for i, name in enumerate(path)}
    starts = np.array([place[group.name] for group in groups])
    passing = _passing(flow, groups, path, place, starts)
    # Among all cuts between two groups, the one that the fewest edges pass by is taken.
    fewest = np.array([passing[begin:end].min() for begin, end in pairwise(starts)], dtype=np.int64)
    ends = [*np.flatnonzero(fewest == 0) + 1, len(groups)]
    runs = [run for begin, end in pairwise([0, *ends]) for run in _of_bearable_size(fewest, begin, end)]
    return tuple(tuple(groups[begin:end]) for begin, end in runs)


def _between(flow: Flow, groups: Sequence[QuantizerGroup]) -> list[str]:
    """Operations of groups, and operations that pass floating point values from one to another."""
    own = {op for group in groups for op in group.ops}
    behind, before = set(own), set(own)
    for name in flow.names:
        if any(edge.is_float and edge.source in behind for edge in flow.in_edges[name]):
            behind.add(name)
    for name in reversed(flow.names):
        if any(edge.is_float and edge.target in before for edge in flow.out_edges[name]):
            before.add(name)
    return [name for name in flow.names if name in behind and name in before]


def _passing(
    flow: Flow, groups: Sequence[QuantizerGroup], path: Sequence[str], place: dict[str, int], starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Number of edges that pass by each operation, and of groups that join it with the next operation, [n]."""

    def is_far(source: int, target: int) -> bool:
        passed = np.searchsorted(starts, target) - np.searchsorted(starts, source, side="right")
        return bool(passed > LARGEST_BLOCK)

    changes = np.zeros(len(path) + 1, dtype=np.int64)
    for source, target in _jumps(flow, groups, path, place, is_far):
        if source + 1 < target and not is_far(source, target):
            changes[source + 1] += 1
            changes[target] -= 1
    return np.cumsum(changes)[:-1]


def _jumps(
    flow: Flow,
    groups: Sequence[QuantizerGroup],
    path: Sequence[str],
    place: dict[str, int],
    is_far: Callable[[int, int], bool],
) -> Iterator[tuple[int, int]]:
    # Operations whose values are only read far away.
    aside: set[int] = set()
    for i, name in reversed(list(enumerate(path))):
        targets = sorted(
            {place[edge.target] for edge in flow.out_edges[name] if edge.is_float and edge.target in place}
        )
        read_far = bool(targets) and is_far(i, targets[-1])
        if read_far or (targets and aside.issuperset(targets)):
            aside.add(i)
        yield from ((i, target) for target in (targets[:1] if read_far else targets))
        if not targets:
            yield i, len(path)
        if i not in aside and not any(edge.is_float and edge.source in place for edge in flow.in_edges[name]):
            yield -1, i
    for group in groups:
        members = [place[op] for op in group.ops]
        yield min(members) - 1, max(members)


def _of_bearable_size(fewest: NDArray[np.int64], begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Cuts a run of groups until no part is too large: where the fewest edges pass by, and then near the middle."""
    waiting = [(int(begin), int(end))]
    while waiting:
        begin, end = waiting.pop()
        if end - begin <= LARGEST_BLOCK:
            yield begin, end
            continue
        cut = min(range(begin + 1, end), key=lambda k: (fewest[k - 1], abs(2 * k - begin - end)))
        waiting += [(cut, end), (begin, cut)]
