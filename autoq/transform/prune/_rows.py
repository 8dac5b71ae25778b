"""Rows of what a layer reads and gives: one for each of some places of a sample.

| Symbol | Meaning |
|---|---|
| places | numbers of output positions: pixels of a convolution, tokens of a matrix product |
| taps | values that one output channel sums over |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.core import FloatArray
from autoq.graph import ChannelLayer

Places = NDArray[np.int64]
# Of an odd number that is added to an axis, how many of the extra one come before it.
_SAME = {"same_upper": 0, "same_lower": 1}


def some_places(count: int, most: int, sample: int) -> Places:
    """Places of a sample, in ascending order: all of them, or as many as asked for, at random.

    Args:
        count: Number of all places.
        most: Number of places wanted.
        sample: Number of the sample; each has places of its own.
    """
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng([sample, count]).choice(count, most, replace=False))


def given_rows(value: NDArray[Any], axis: int, places: Places) -> FloatArray:
    """What a layer gives at places, [places, channels].

    Args:
        value: Its output, of one sample.
        axis: Axis of the channels.
        places: The places.
    """
    rows = np.moveaxis(value, axis, -1).reshape(-1, value.shape[axis])
    return np.asarray(rows[places], np.float32)


@dataclass(frozen=True, slots=True)
class Window:
    """How a layer reads.

    Attributes:
        axis: Axis of the channels that it reads.
        kernel: Lengths of its window; empty for a matrix product.
        strides: Steps of the window.
        begins: What is added before each axis that the window moves along.
        dilations: Steps within the window.
        auto_pad: How what is added follows from the lengths, in OpenVINO's words.
    """

    axis: int
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    begins: tuple[int, ...]
    dilations: tuple[int, ...]
    auto_pad: str

    @classmethod
    def of(cls, op: ov.Node, layer: ChannelLayer) -> Window:
        """How a layer reads.

        Args:
            op: The operation.
            layer: It, as a layer.
        """
        if layer.type == "MatMul":
            return cls(layer.axis, (), (), (), (), "explicit")
        attributes = op.get_attributes()
        moved = len(attributes["strides"])
        kernel = tuple(op.input_value(layer.weight_port).get_shape()[-moved:])
        return cls(
            layer.axis,
            kernel,
            tuple(attributes["strides"]),
            tuple(attributes["pads_begin"]),
            tuple(attributes["dilations"]),
            str(attributes["auto_pad"]),
        )

    @property
    def taps(self) -> int:
        """Number of positions of the window."""
        return math.prod(self.kernel)

    def rows(self, value: NDArray[Any], output: Sequence[int], places: Places) -> FloatArray:
        """What the layer reads at places, [places, channels, taps].

        Args:
            value: Its input, of one sample.
            output: Lengths of its output, of the axes that the window moves along.
            places: The places.
        """
        if not self.kernel:
            rows = np.moveaxis(value, self.axis, -1).reshape(-1, value.shape[self.axis])
            return np.asarray(rows[places], np.float32)[:, :, None]
        channels = value.shape[1]
        # One more row of zeros, for what is outside.
        last = np.zeros((value.shape[0] * math.prod(value.shape[2:]) + 1, channels), np.float32)
        last[:-1] = np.moveaxis(value, 1, -1).reshape(-1, channels)
        table = _table(self, (value.shape[0], *value.shape[2:]), tuple(output))
        return np.ascontiguousarray(np.moveaxis(last[table[places]], 1, 2))

    def begins_of(self, lengths: Sequence[int], output: Sequence[int]) -> tuple[int, ...]:
        """What is added before each axis."""
        if self.auto_pad not in _SAME:
            return self.begins
        every = [
            max((made - 1) * stride + (window - 1) * step + 1 - length, 0)
            for made, stride, window, step, length in zip(
                output, self.strides, self.kernel, self.dilations, lengths, strict=True
            )
        ]
        return tuple((both + _SAME[self.auto_pad]) // 2 for both in every)


@lru_cache(maxsize=4)
def _table(window: Window, lengths: tuple[int, ...], output: tuple[int, ...]) -> Places:
    """Which rows of an input each place reads, [places, taps]; the one behind the last is outside.

    Args:
        window: How the layer reads.
        lengths: Number of samples of the input, and its lengths.
        output: Lengths of the output.
    """
    samples, *axes = lengths
    at = np.unravel_index(np.arange(samples * math.prod(output)), (samples, *output))
    found = np.empty((len(at[0]), window.taps), np.int64)
    begins = window.begins_of(axes, output)
    for number, tap in enumerate(np.ndindex(*window.kernel)):
        there = [
            place * stride - begin + step * dilation
            for place, stride, begin, step, dilation in zip(
                at[1:], window.strides, begins, tap, window.dilations, strict=True
            )
        ]
        inside = np.all([(t >= 0) & (t < n) for t, n in zip(there, axes, strict=True)], axis=0)
        held = tuple(np.where(inside, t, 0) for t in (at[0], *there))
        found[:, number] = np.where(inside, np.ravel_multi_index(held, lengths), math.prod(lengths))
    return found
