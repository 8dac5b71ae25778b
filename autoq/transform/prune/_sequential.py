"""Repairs layers one after the other: each makes up for what those before it, as they are by then, no longer give.

requires: a model without some channels, and the model with them.
ensures: weights and constants of the layers behind the first removed channel have other numbers. A layer without a
    constant term gets a sum with one.

The float model runs once, and the pruned one from each level of layers that do not depend on each other to the next
one. Of each sample, some places are kept of what layers read and should give.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops
from threadpoolctl import threadpool_limits

from autoq.calibration import Feed, ModelInputs
from autoq.core import FloatArray, ResetState
from autoq.graph import ChannelGraph, ChannelLayer, Tensor, unique_names
from autoq.transform.compress import numbers_of
from autoq.transform.prune._finite import check_rows
from autoq.transform.prune._fits import Fit, fits_of
from autoq.transform.prune._least_squares import LayerRows, fitted
from autoq.transform.prune._rows import Window, given_rows, some_places
from autoq.transform.prune._settled import SettledRuns, TensorValues, run_to
from autoq.transform.prune._weights import constant_of, give_weight, is_stored, stored, weight_of

# Rows of a layer: so many for each number that one of its outputs sums over, and at least and at most so many.
_ROWS_EACH = 16
_FEWEST_ROWS = 8192
# Numbers that are kept of a layer's input, and all layers' targets.
_MOST_READ = 48 << 20
_MOST_WANTED = 64 << 20
# Numbers of the input that are worked on at a time, of the groups of a layer.
_MOST_AT_ONCE = 1 << 21
# A layer with more numbers for each output keeps its weight.
_MOST_COLUMNS = 6000


def repair_in_turn(
    pruned: ov.Model,
    model: ov.Model,
    graph: ChannelGraph,
    removed: Collection[int],
    inputs: ModelInputs,
    *,
    subset_size: int = 300,
    reset_state: ResetState = ResetState.SAMPLE,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Changes weights and biases of a pruned model by least squares, level by level.

    Args:
        pruned: The model without the channels; it is changed.
        model: The model with them; never modified.
        graph: Its channels.
        removed: Numbers of the channels that are gone.
        inputs: Inputs of both models; they are read again for each level where values between are too large to keep.
        subset_size: Number of samples used, from the first one.
        reset_state: When the state of a model is reset while it runs.
        progress: Called with the number of levels done, and of all.

    Raises:
        ModelError: One of the models computes what no layer can be fitted to.
    """
    left, gone = unique_names(pruned), np.array(sorted(removed), np.int64)
    fits = [fit for fit in fits_of(model, graph, removed) if fit.layer.op in left]
    fits = [fit for fit in fits if _columns(left, fit) <= _MOST_COLUMNS]
    if not fits:
        return
    count = inputs.at_most(subset_size)
    constant = {fit.layer.op: _mean_beside(left, fit) for fit in fits if fit.beside and fit.beside.producer not in left}
    fits = [replace(fit, beside=None) if fit.layer.op in constant else fit for fit in fits]
    places = _Places.of(fits, left, count)
    with threadpool_limits(1, "blas"):
        wanted = _wanted(model, graph, gone, fits, islice(inputs, count), places, reset_state)
    levels = sorted({fit.level for fit in fits})
    by_layer = {fit.layer.op: fit.level for fit in fits}
    runs = SettledRuns(pruned, by_layer, lambda: islice(inputs, count), count, reset_state)
    # Tensors behind which a constant was added: what reads the layer's output reads the sum from then on.
    sums: dict[Tensor, Tensor] = {}
    for done, level in enumerate(levels):
        own = [fit for fit in fits if fit.level == level]
        with threadpool_limits(1, "blas"):
            now = [
                replace(f, read=sums.get(f.read, f.read), beside=f.beside and sums.get(f.beside, f.beside)) for f in own
            ]
            read = _read(runs, level, left, now, wanted)
        for fit, (rows, samples, beside) in zip(own, read, strict=True):
            target = wanted.pop(fit.layer.op).rows
            _check(fit, rows, target, beside)
            every = np.broadcast_to(constant.get(fit.layer.op, beside), target.shape)
            added = _repair(left, fit, rows, LayerRows(rows, target, every, samples, fit.limits))
            if added is not None:
                sums[Tensor(fit.layer.op)] = added
        if progress is not None:
            progress(done + 1, len(levels))


class _Places:
    """Which places of a sample count for a layer."""

    def __init__(self, most: Mapping[str, int]) -> None:
        self._most = most

    @classmethod
    def of(cls, fits: Iterable[Fit], left: Mapping[str, ov.Node], samples: int) -> _Places:
        rows, made = {}, {}
        for fit in fits:
            columns = _columns(left, fit)
            every = columns * _groups(left, fit)
            rows[fit.layer.op] = min(max(_FEWEST_ROWS, _ROWS_EACH * columns), _MOST_READ // every)
            width = left[fit.layer.op].get_output_partial_shape(0)[fit.layer.output_axis]
            made[fit.layer.op] = width.get_length() if width.is_static else every
        share = min(1.0, _MOST_WANTED / max(sum(rows[op] * made[op] for op in rows), 1))
        return cls({op: max(int(share * count) // max(samples, 1), 1) for op, count in rows.items()})

    def of_sample(self, fit: Fit, output: Sequence[int], number: int) -> NDArray[np.int64]:
        """Places of a sample.

        Args:
            fit: The layer.
            output: Lengths of its output.
            number: Number of the sample.
        """
        count = int(np.prod(output)) // max(output[fit.layer.output_axis], 1)
        return some_places(count, self._most[fit.layer.op], number)


def _groups(left: Mapping[str, ov.Node], fit: Fit) -> int:
    if fit.layer.type != "GroupConvolution":
        return 1
    return int(left[fit.layer.op].input_value(fit.layer.weight_port).get_shape()[0])


def _columns(left: Mapping[str, ov.Node], fit: Fit) -> int:
    """Numbers that one output of a layer sums over."""
    shape = list(left[fit.layer.op].input_value(fit.layer.weight_port).get_shape())
    outputs = shape[0] * shape[1] if fit.layer.type == "GroupConvolution" else shape[fit.layer.weight_output_axes[0]]
    return int(np.prod(shape)) // max(int(outputs), 1)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a layer should give.

    Attributes:
        rows: Rows of all samples, [n, O].
        lengths: Lengths of its output behind the channels, by sample.
        places: Places of the rows, by sample.
    """

    rows: FloatArray
    lengths: Sequence[tuple[int, ...]]
    places: Sequence[NDArray[np.int64]]


def _wanted(
    model: ov.Model,
    graph: ChannelGraph,
    gone: NDArray[np.int64],
    fits: Sequence[Fit],
    inputs: Iterable[Feed],
    places: _Places,
    reset_state: ResetState,
) -> dict[str, _Wanted]:
    """What layers should give: of the float model, the channels that stay."""
    kept = {fit.layer.op: _kept(graph, fit, gone) for fit in fits}
    parts: dict[str, list[FloatArray]] = {fit.layer.op: [] for fit in fits}
    lengths: dict[str, list[tuple[int, ...]]] = {fit.layer.op: [] for fit in fits}
    chosen: dict[str, list[NDArray[np.int64]]] = {fit.layer.op: [] for fit in fits}

    def take(values: TensorValues, number: int) -> None:
        for fit in fits:
            value = values[fit.target]
            some = places.of_sample(fit, value.shape, number)
            rows = given_rows(value, fit.layer.output_axis, some)
            own = kept[fit.layer.op]
            parts[fit.layer.op].append(rows if own is None else rows[:, own])
            lengths[fit.layer.op].append(value.shape[2:])
            chosen[fit.layer.op].append(some)

    run_to(model, list(dict.fromkeys(fit.target for fit in fits)), inputs, reset_state, take)
    return {op: _Wanted(np.concatenate(rows), lengths[op], chosen[op]) for op, rows in parts.items()}


def _kept(graph: ChannelGraph, fit: Fit, gone: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    axes = graph.makes.get((fit.layer.op, 0))
    own = None if axes is None else axes[fit.layer.output_axis]
    return None if own is None else ~np.isin(own, gone)


def _read(
    runs: SettledRuns,
    level: int,
    left: Mapping[str, ov.Node],
    fits: Sequence[Fit],
    wanted: Mapping[str, _Wanted],
) -> list[tuple[FloatArray, NDArray[np.int64], FloatArray | float]]:
    """What layers of a level read in the pruned model as it is by now, the samples of the rows, and what is added."""
    readers = [Window.of(left[fit.layer.op], fit.layer) for fit in fits]
    read: list[list[FloatArray]] = [[] for _ in fits]
    beside: list[list[FloatArray]] = [[] for _ in fits]

    def take(values: TensorValues, number: int) -> None:
        for place, (fit, reader) in enumerate(zip(fits, readers, strict=True)):
            known = wanted[fit.layer.op]
            some = known.places[number]
            read[place].append(reader.rows(values[fit.read], known.lengths[number], some))
            if fit.beside is not None:
                beside[place].append(given_rows(values[fit.beside], fit.layer.output_axis, some))

    runs.run(level, [*(fit.read for fit in fits), *(fit.beside for fit in fits if fit.beside)], take)
    samples = [np.repeat(np.arange(len(rows)), [len(each) for each in rows]) for rows in read]
    return [
        (np.concatenate(rows), numbers, np.concatenate(added) if added else 0.0)
        for rows, numbers, added in zip(read, samples, beside, strict=True)
    ]


def _mean_beside(left: Mapping[str, ov.Node], fit: Fit) -> FloatArray:
    """What a branch that is gone adds to what a layer gives, by channel."""
    values = left[fit.target.producer].input_values()
    nodes = [stored(value) for value in values if is_stored(value)]
    return np.asarray(numbers_of(nodes[0]), np.float32).reshape(-1)


def _check(fit: Fit, read: FloatArray, wanted: FloatArray, beside: FloatArray | float) -> None:
    """Refuses rows that a layer cannot be fitted to."""
    check_rows(fit.layer.op, fit.target, wanted, pruned=False)
    check_rows(fit.layer.op, fit.read, read, pruned=True)
    if fit.beside is not None:
        check_rows(fit.layer.op, fit.beside, np.asarray(beside, np.float32), pruned=True)


def _repair(left: Mapping[str, ov.Node], fit: Fit, read: FloatArray, rows: LayerRows) -> Tensor | None:
    """Gives a layer the weight and the constant term that fit.

    Args:
        left: Operations of the pruned model by name.
        fit: The layer.
        read: What it reads, [n, channels, taps].
        rows: What it should give.

    Returns:
        The sum, if a constant is added to what the layer gives.
    """
    op, layer = left[fit.layer.op], fit.layer
    weight = weight_of(left, layer)
    width = rows.wanted.shape[1]
    offset = np.zeros(width, np.float32)
    if fit.bias is not None:
        constant = left[fit.bias[0]].input_value(fit.bias[1])
        offset = np.asarray(numbers_of(stored(constant)), np.float32).reshape(-1)
    has_constant = fit.bias is not None or _takes_constant(op)
    # Outputs last, then what each sums over; by group.
    is_product = layer.type == "MatMul"
    first = np.moveaxis(weight, layer.weight_axis, -1) if is_product else weight
    groups = _groups(left, fit)
    flat = np.ascontiguousarray(first.reshape(groups, width // groups, -1))
    made, term = np.empty_like(flat), np.empty((groups, width // groups), np.float32)
    of_group = [_by_group(values, groups) for values in (read, rows.wanted, rows.beside)]
    step = max(_MOST_AT_ONCE // max(read.size // groups, 1), 1)
    for begin in range(0, groups, step):
        own = slice(begin, begin + step)
        some = [np.ascontiguousarray(values[own]) for values in of_group]
        several = replace(rows, read=some[0], wanted=some[1], beside=some[2])
        made[own], term[own] = fitted(several, flat[own], offset.reshape(groups, -1)[own], constant=has_constant)
    again = made.reshape(first.shape)
    give_weight(op, layer.weight_port, np.moveaxis(again, -1, layer.weight_axis) if is_product else again)
    if fit.bias is not None:
        give_weight(left[fit.bias[0]], fit.bias[1], term.reshape(constant.get_shape()))
    elif has_constant and term.any():
        return Tensor(_add_constant(op, layer, term.reshape(-1)))
    return None


def _by_group(values: FloatArray, groups: int) -> FloatArray:
    """Columns by group, [groups, n, columns]; a view."""
    return np.moveaxis(values.reshape(len(values), groups, -1), 1, 0)


def _takes_constant(op: ov.Node) -> bool:
    """Whether a sum may stand behind an operation: an output of the model keeps the names of its tensor."""
    return all(target.get_node().get_type_name() != "Result" for target in op.output(0).get_target_inputs())


def _add_constant(op: ov.Node, layer: ChannelLayer, term: FloatArray) -> str:
    """Adds a constant to what a layer gives, and gives the name of the sum."""
    output = op.output(0)
    readers = list(output.get_target_inputs())
    shape = [1] * (len(output.get_partial_shape()) - layer.output_axis)
    weight, kind = op.input_value(layer.weight_port), output.get_element_type()
    name = f"{op.get_friendly_name()}/constant/number"
    constant = constant_of(term, [len(term), *shape[1:]], weight, kind, name)
    made = ops.add(output, constant)
    made.set_friendly_name(f"{layer.op}/constant")
    for target in readers:
        target.replace_source_output(made.output(0))
    return f"{layer.op}/constant"
