"""Chooses the channels that go: each group keeps those with the highest scores."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.graph import ChannelGraph, ChannelGroup, unique_names
from autoq.transform.prune._weights import made_rows
from autoq.transform.prune._widths import KeptCounts

# Scores of the channels of a group, in their order, by name of the group.
ChannelScores = Mapping[str, NDArray[np.float64]]


def removed_channels(graph: ChannelGraph, counts: KeptCounts, scores: ChannelScores) -> list[int]:
    """Numbers of the channels that go; of equal scores, the first channels stay.

    Args:
        graph: The channels.
        counts: How many stay.
        scores: Their scores.
    """
    removed = []
    for group in graph.groups:
        score = dict(zip(group.channels, scores[group.name].tolist(), strict=True))
        for part, count in zip(group.parts, counts[group.name], strict=True):
            removed += sorted(part, key=lambda number: (-score[number], number))[count:]
    return removed


def magnitudes(model: ov.Model, graph: ChannelGraph) -> ChannelScores:
    """L2 norms over the weights of all layers that make a channel."""
    nodes, found = unique_names(model), {}
    for group in graph.groups:
        squares = np.zeros(len(group.channels))
        for op in group.producers:
            rows, places = made_rows(nodes, graph, group, graph.layer[op])
            np.add.at(squares, places, np.square(rows, dtype=np.float64).sum(axis=1))
        found[group.name] = np.sqrt(squares)
    return found


def distances(model: ov.Model, graph: ChannelGraph) -> ChannelScores:
    """Sums of the distances to all other channels of the group: the smallest is nearest to the geometric median.

    He et al. (2019), Filter Pruning via Geometric Median, equation 5. All layers that make a channel count.
    """
    nodes = unique_names(model)
    return {group.name: _distances(nodes, graph, group) for group in graph.groups}


def _distances(nodes: Mapping[str, ov.Node], graph: ChannelGraph, group: ChannelGroup) -> NDArray[np.float64]:
    products = np.zeros((len(group.channels),) * 2)
    for op in group.producers:
        rows, places = made_rows(nodes, graph, group, graph.layer[op])
        # A channel may have several rows here, in the order of the layer: the first rows of two channels meet.
        seen = np.zeros(len(group.channels), np.int64)
        turn = np.empty_like(places)
        for row, place in enumerate(places.tolist()):
            turn[row], seen[place] = seen[place], seen[place] + 1
        for number in range(int(seen.max(initial=0))):
            some = turn == number
            own = rows[some].astype(np.float64)
            products[np.ix_(places[some], places[some])] += own @ own.T
    squares = np.diagonal(products)
    apart = np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0))
    return np.asarray(apart.sum(axis=1), np.float64)
