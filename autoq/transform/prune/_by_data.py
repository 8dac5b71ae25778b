"""What activations tell of channels: which of them the others span, and as what mixtures of the others they live on.

| Symbol | Meaning | Shape |
|---|---|---|
| A | activations that a layer reads | [rows, C] |
| G | A^T A / rows | [C, C] |
| S, R | channels that stay, and that go | |
| T | (G_SS + ridge)^-1 G_SR | [S, R] |
| W | weight of the layer, its other axes as they are | [..., C] |
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from scipy import linalg

from autoq.calibration import Activation, Grams
from autoq.core import FloatArray
from autoq.graph import ChannelGraph, ChannelGroup, ChannelLayer, Tensor, unique_names
from autoq.transform.prune._finite import check_products
from autoq.transform.prune._fits import can_be_fitted
from autoq.transform.prune._select import ChannelScores, magnitudes
from autoq.transform.prune._weights import give_weight, weight_of

# A layer that reads more values than this keeps its numbers: the products of its input would take too much memory.
MOST_READ = 8192
# Share of the mean square of channels that is added to each, so that equal channels have a solution; and a further one
# by how many channels there are for each row, so that few rows are not fitted as they are.
_RIDGE = 1e-4
_RIDGE_OF_FEW = 1e-2
# How a ridge grows that is too small.
_STEP = 10.0
# A mixture of fewer rows for each number is one for all places where a channel is read.
_ENOUGH_ROWS = 4


def read_activations(model: ov.Model, graph: ChannelGraph) -> dict[str, Activation]:
    """The activations that layers mix channels of which some can go, by name of the layer.

    Args:
        model: Never modified.
        graph: Its channels.
    """
    nodes = unique_names(model)
    name_of = {op.get_name(): name for name, op in nodes.items()}
    found = {}
    for layer in graph.layers:
        own = graph.read_by(layer)
        if len(own) and layer.mixes and len(own) <= MOST_READ:
            value = nodes[layer.op].input_value(layer.port)
            rank = len(value.get_partial_shape())
            found[layer.op] = Activation(
                Tensor(name_of[value.get_node().get_name()], value.get_index()), layer.axis - rank
            )
    return found


def interpolative_scores(
    model: ov.Model, graph: ChannelGraph, activations: Mapping[str, Activation], grams: Grams
) -> ChannelScores:
    """Scores by which channels are chosen that span the others: the first one chosen has the highest.

    Chee et al. (2022), Model Preserving Compression for Neural Networks; by pivoted Cholesky factors of G, summed over
    the layers that read a group. A group that no layer mixes is ranked by magnitude.

    Args:
        model: Never modified.
        graph: Its channels.
        activations: What layers read.
        grams: Products of these.

    Raises:
        ModelError: Products are no finite numbers.
    """
    nodes, found = unique_names(model), dict(magnitudes(model, graph))
    for group in graph.groups:
        total = np.zeros((len(group.channels),) * 2)
        for op in group.consumers:
            if op in activations:
                total += _weighted(nodes, graph, group, graph.layer[op], _gram(op, activations, grams))
        if total.any():
            found[group.name] = _pivoted(total)
    return found


def _gram(op: str, activations: Mapping[str, Activation], grams: Grams) -> FloatArray:
    """G of a layer."""
    gram = grams.gram(activations[op])
    check_products(op, activations[op].tensor, gram)
    return gram


def _weighted(
    nodes: Mapping[str, ov.Node], graph: ChannelGraph, group: ChannelGroup, layer: ChannelLayer, gram: FloatArray
) -> NDArray[np.float64]:
    """G of the channels of a group, weighted by the norms of the columns that read them, with trace 1."""
    own = graph.read_by(layer)
    columns = np.moveaxis(weight_of(nodes, layer), layer.weight_axis, -1)
    norms = np.sqrt(np.square(columns.reshape(-1, columns.shape[-1]), dtype=np.float64).sum(axis=0))
    # A channel may be read at several places, each of which counts by itself.
    found = np.zeros((len(group.channels),) * 2)
    places = [np.flatnonzero(own == number) for number in group.channels]
    for turn in range(max(map(len, places))):
        some = [place for place, read in enumerate(places) if len(read) > turn]
        read = np.array([places[place][turn] for place in some])
        found[np.ix_(some, some)] += norms[read][:, None] * gram[np.ix_(read, read)] * norms[read]
    trace = float(np.trace(found))
    return np.asarray(found / trace, np.float64) if trace > 0 else found


def _pivoted(gram: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minus the place of each channel in the order in which a pivoted Cholesky factorization takes them."""
    # Channels that those before span to the last digit come last, in the order that they then have.
    _, order, _, _ = linalg.lapack.dpstrf(gram)
    scores = np.empty(len(gram))
    scores[order - 1] = -np.arange(len(gram))
    return scores


def branch_means(
    model: ov.Model,
    graph: ChannelGraph,
    removed: Collection[int],
    activations: Mapping[str, Activation],
    grams: Grams,
) -> dict[str, FloatArray]:
    """Means over the data of what layers at the ends of branches give, by name of the layer, [channels] each.

    A window is taken to be everywhere inside of what it reads. Of layers that mix no channels, nothing is known.

    Args:
        model: Never modified.
        graph: Its channels.
        removed: Numbers of the channels that go.
        activations: What layers read.
        grams: Statistics of these.
    """
    nodes, found = unique_names(model), {}
    for branch in graph.ended(removed):
        for last in branch.exits:
            layer = graph.layer[last.op]
            if last.op in activations and can_be_fitted(layer):
                tokens, means = (of[activations[last.op]] for of in (grams.tokens, grams.means))
                mean = tokens @ means / max(float(tokens.sum()), 1.0)
                given = np.moveaxis(weight_of(nodes, layer), layer.weight_axis, -1) @ mean
                # What is left are the axes of outputs, and those that a window moves along.
                outputs = [axis - (axis > layer.weight_axis) for axis in layer.weight_output_axes]
                moved = tuple(axis for axis in range(given.ndim) if axis not in outputs)
                found[last.op] = np.asarray(given.sum(axis=moved).reshape(-1), np.float32)
    return found


def repair_layers(
    pruned: ov.Model,
    model: ov.Model,
    graph: ChannelGraph,
    removed: Collection[int],
    activations: Mapping[str, Activation],
    grams: Grams,
) -> None:
    """Changes the weights of layers so that they read removed channels as mixtures of those that stay: W_S + W_R T^T.

    Args:
        pruned: The model without the channels; it is changed.
        model: The model with them; never modified.
        graph: Its channels.
        removed: Numbers of the channels that are gone.
        activations: What layers read.
        grams: Products of these.

    Raises:
        ModelError: Products are no finite numbers.
    """
    nodes, left = unique_names(model), unique_names(pruned)
    gone = np.array(sorted(removed), np.int64)
    for layer in graph.layers:
        if layer.op not in activations or layer.op not in left:
            continue
        goes = np.isin(graph.read_by(layer), gone)
        if not goes.any():
            continue
        rows = float(grams.tokens[activations[layer.op]].sum())
        mixture = _mixture(_gram(layer.op, activations, grams), graph.read_by(layer), goes, rows)
        weight = np.moveaxis(weight_of(nodes, layer), layer.weight_axis, -1)
        repaired = np.moveaxis(weight[..., ~goes] + weight[..., goes] @ mixture.T, -1, layer.weight_axis)
        for axis, own in enumerate(graph.reads[layer.op, layer.weight_port]):
            if own is not None and axis != layer.weight_axis:
                repaired = np.compress(~np.isin(own, gone), repaired, axis)
        give_weight(left[layer.op], layer.weight_port, repaired)


def _mixture(gram: FloatArray, own: NDArray[np.int64], goes: NDArray[np.bool_], rows: float) -> FloatArray:
    """T, as [S, R].

    1. With enough rows, each place where a channel is read is a mixture of all places.
    2. With fewer, as behind a Reshape that makes channels of positions, a channel is one mixture of other channels at
       all places: values at one place are mixed with each other only. It must be read as often as all others.

    Args:
        gram: G.
        own: Numbers of the channels, by place.
        goes: Which places go.
        rows: Number of rows of A.
    """
    every, counts = np.unique(own, return_counts=True)
    if rows >= _ENOUGH_ROWS * len(own) or counts.max() == 1 or counts.min() < counts.max() or every[0] < 0:
        return _solved(gram, goes, rows)
    # Place in `own`, by channel and by turn.
    places = np.argsort(own, kind="stable").reshape(len(every), -1)
    joint = np.sum([gram[np.ix_(turn, turn)] for turn in places.T], axis=0)
    gone = goes[places[:, 0]]
    shared = _solved(joint, gone, rows * places.shape[1])
    found = np.zeros(gram.shape, np.float32)
    for turn in places.T:
        found[np.ix_(turn[~gone], turn[gone])] = shared
    return found[np.ix_(~goes, goes)]


def _solved(gram: FloatArray, goes: NDArray[np.bool_], rows: float) -> FloatArray:
    kept = gram[np.ix_(~goes, ~goes)].astype(np.float64)
    ridge = max(_RIDGE, _RIDGE_OF_FEW * len(gram) / max(rows, 1)) * float(np.diagonal(kept).mean())
    if ridge == 0:
        return np.zeros((len(kept), int(goes.sum())), np.float32)
    return np.asarray(linalg.cho_solve(_factor(kept, ridge), gram[np.ix_(~goes, goes)]), np.float32)


def _factor(gram: NDArray[np.float64], ridge: float) -> tuple[NDArray[np.float64], bool]:
    """The Cholesky factor of G with a ridge, or with the least power of ten times it that has one.

    Where many channels are nearly one, products in single precision are rounded by more than the ridge.
    """
    while True:
        try:
            return linalg.cho_factor(gram + ridge * np.eye(len(gram)), lower=True)
        except linalg.LinAlgError:
            ridge *= _STEP
