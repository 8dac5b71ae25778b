"""Reductions of activations inside the graph that computes them.

A reduction per channel of an image is written as a pooling over all its positions. On channels-last memory, which
convolutions leave, the device's pooling kernels are two to three times as fast as its reductions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import openvino as ov
from openvino import opset1
from openvino import opset13 as ops

from autoq.calibration.statistics._taps import Statistic, Tap

_REDUCTIONS = {Statistic.MIN: ops.reduce_min, Statistic.MAX: ops.reduce_max, Statistic.MEAN: ops.reduce_mean}
_IMAGE_RANK = 4
# Pooling works on as many channels at a time as a register holds. A device rearranges images with fewer channels for
# it.
_FEWEST_CHANNELS = 16


def channel_count(output: ov.Output, axis: int | None) -> int | None:
    """Number of values that a tap gives; None if the channels are not known before the model runs."""
    if axis is None:
        return 1
    shape = output.get_partial_shape()
    if shape.rank.is_dynamic or shape[axis].is_dynamic:
        return None
    return int(shape[axis].get_length())


@dataclass(frozen=True, slots=True)
class Reduced:
    """A statistic within a graph. It has the rank of its tensor, with length one along each reduced axis.

    Attributes:
        output: float32.
        axis: Channel axis; None for one number.
    """

    output: ov.Output
    axis: int | None


def reduce_in_graph(output: ov.Output, tap: Tap, samples: int | None) -> Reduced:
    """A minimum, maximum or mean.

    Args:
        output: The tensor.
        tap: The statistic.
        samples: Number of samples along its first axis, each of which has its own statistic; None takes all values
            together.
    """
    shape = output.get_partial_shape()
    if shape.rank.is_dynamic or shape.rank.get_length() == 0:
        output, shape = _flat(output).output(0), ov.PartialShape([-1])
    if samples is not None and len(shape) == 1:
        output, shape = ops.reshape(output, np.array([samples, 1]), False).output(0), ov.PartialShape([samples, 1])
    rank = shape.rank.get_length()
    kept = None if tap.axis is None else tap.axis % rank
    ends = {kept} if samples is None else {kept, 0}
    axes = np.array([axis for axis in range(rank) if axis not in ends and not _is_one(shape[axis])], np.int64)
    if len(axes):
        reduced = _pooled(output, shape, kept, samples or 1, tap.statistic)
        reduced = _REDUCTIONS[tap.statistic](output, axes, keep_dims=True) if reduced is None else reduced
        output = reduced.output(0)
    if output.get_element_type() != ov.Type.f32:
        output = ops.convert(output, "f32").output(0)
    return Reduced(output, kept)


def reduce_channels(reduced: Reduced, statistic: Statistic) -> Reduced:
    """One extreme of a whole tensor, from its extremes per channel."""
    whole = _REDUCTIONS[statistic](reduced.output, np.array([reduced.axis]), keep_dims=True)
    return Reduced(whole.output(0), None)


def as_rows(statistics: Iterable[Reduced], samples: int | None) -> ov.Node:
    """Joins statistics in their order, [samples, columns]; one row if all values are taken together.

    Neighbours of one layout are joined as they are, because each further operation makes compiling slower.

    Args:
        statistics: Statistics of tensors that are not empty.
        samples: Number of samples along the first axis of each; None if all values are taken together.
    """
    rows = []
    for (rank, axis), run in _runs(statistics):
        joined = ops.concat(run, rank - 1 if axis is None else axis) if len(run) > 1 else run[0]
        rows.append(ops.reshape(joined, np.array([samples or 1, -1]), special_zero=False))
    return ops.concat(rows, 1) if len(rows) > 1 else rows[0]


def _runs(statistics: Iterable[Reduced]) -> Iterator[tuple[tuple[int, int | None], list[ov.Output]]]:
    """Runs of neighbours that differ in length along at most one axis, with their rank and that axis."""
    run: list[ov.Output] = []
    rank, axis = 0, None
    for reduced in statistics:
        found = reduced.output.get_partial_shape().rank.get_length()
        if run and (found != rank or (None not in {axis, reduced.axis} and axis != reduced.axis)):
            yield (rank, axis), run
            run, axis = [], None
        rank, axis = found, reduced.axis if axis is None else axis
        run.append(reduced.output)
    if run:
        yield (rank, axis), run


def _flat(output: ov.Output) -> ov.Node:
    return ops.reshape(output, np.array([-1], np.int64), special_zero=False)


def _is_one(dimension: ov.Dimension) -> bool:
    return bool(dimension.is_static and dimension.get_length() == 1)


def _pooled(
    output: ov.Output, shape: ov.PartialShape, kept: int | None, samples: int, statistic: Statistic
) -> ov.Node | None:
    """Images reduced to one position; None if no pooling does that."""
    if len(shape) != _IMAGE_RANK or kept != 1 or shape.is_dynamic or shape[0].get_length() != samples:
        return None
    if shape[1].get_length() < _FEWEST_CHANNELS:
        return None
    size = [shape[2].get_length(), shape[3].get_length()]
    if statistic is Statistic.MAX:
        return opset1.max_pool(output, [1, 1], [0, 0], [0, 0], size)
    if statistic is Statistic.MEAN:
        return ops.avg_pool(output, [1, 1], [0, 0], [0, 0], size, exclude_pad=True)
    return None
