"""Reductions of activations inside the graph that computes them.

A reduction per channel of an image is written as a pooling over all of its positions: on channels-last memory, which
convolutions leave, the device's pooling kernels are two to three times as fast as its reductions.
"""

from __future__ import annotations

import numpy as np
import openvino as ov
from openvino import opset1
from openvino import opset13 as ops

from autoq.calibration._taps import Statistic, Tap

_REDUCTIONS = {Statistic.MIN: ops.reduce_min, Statistic.MAX: ops.reduce_max, Statistic.MEAN: ops.reduce_mean}
_IMAGE_RANK = 4
# Pooling works on as many channels at a time as a register holds; a device rearranges images of fewer for it.
_FEWEST_CHANNELS = 16


def channel_count(output: ov.Output, axis: int | None) -> int | None:
    """Number of values that a tap gives; None where the channels are not known before the model runs."""
    if axis is None:
        return 1
    shape = output.get_partial_shape()
    if shape.rank.is_dynamic or shape[axis].is_dynamic:
        return None
    return int(shape[axis].get_length())


def reduce_in_graph(output: ov.Output, tap: Tap) -> ov.Node:
    """A minimum, maximum or mean as a float32 vector of the tap's channels."""
    shape = output.get_partial_shape()
    if shape.rank.is_dynamic:
        reduced = _REDUCTIONS[tap.statistic](_flat(output), np.array([0]))
    else:
        rank = shape.rank.get_length()
        kept = None if tap.axis is None else tap.axis % rank
        axes = np.array([axis for axis in range(rank) if axis != kept and not _is_one(shape[axis])], np.int64)
        if not len(axes):
            return _flat(output if output.get_element_type() == ov.Type.f32 else ops.convert(output, "f32"))
        pooled = _pooled(output, shape, kept, tap.statistic)
        reduced = _REDUCTIONS[tap.statistic](output, axes) if pooled is None else pooled
    if output.get_element_type() != ov.Type.f32:
        reduced = ops.convert(reduced, "f32")
    return _flat(reduced)


def reduce_channels(vector: ov.Node, statistic: Statistic) -> ov.Node:
    """One extreme of a whole tensor, from its extremes per channel."""
    return _flat(_REDUCTIONS[statistic](vector, np.array([0])))


def _flat(output: ov.Output | ov.Node) -> ov.Node:
    return ops.reshape(output, np.array([-1], np.int64), special_zero=False)


def _is_one(dimension: ov.Dimension) -> bool:
    return bool(dimension.is_static and dimension.get_length() == 1)


def _pooled(output: ov.Output, shape: ov.PartialShape, kept: int | None, statistic: Statistic) -> ov.Node | None:
    """One image reduced to one position; None where that is not a pooling."""
    if len(shape) != _IMAGE_RANK or kept != 1 or shape.is_dynamic or shape[0].get_length() != 1:
        return None
    if shape[1].get_length() < _FEWEST_CHANNELS:
        return None
    size = [shape[2].get_length(), shape[3].get_length()]
    if statistic is Statistic.MAX:
        return opset1.max_pool(output, [1, 1], [0, 0], [0, 0], size)
    if statistic is Statistic.MEAN:
        return ops.avg_pool(output, [1, 1], [0, 0], [0, 0], size, exclude_pad=True)
    return None
