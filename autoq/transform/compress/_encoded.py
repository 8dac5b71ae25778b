"""Encoded weights, and the rows and blocks that all formats are computed in.

| name    | meaning                                                       | shape                                    |
|---------|---------------------------------------------------------------|------------------------------------------|
| weight  | a weight as the model stores it                               | [.., I, ..]                              |
| grouped | the same with its reduced axis split into groups              | [.., G, g, ..]                           |
| numbers | what is stored for each number                                | as grouped, or as weight without groups  |
| scale   | what stored numbers are multiplied by                         | as numbers, 1 along the reduced axes     |
| rows    | numbers that share a scale, one row for each scale            | [R, numbers of a row]                    |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from autoq.core import FloatArray, WeightFormat

Numbers = NDArray[Any]
Index = tuple[int | slice, ...]
T = TypeVar("T")
# Numbers of a block: its arrays stay in the cache of a core.
_BLOCK = 1 << 17
# From so many numbers on, a weight is worth threads.
_LARGE = 1 << 19
# Up to so many numbers, a row is short.
_SHORT = 256
# Infinity in half precision; sign, exponent and fraction of half precision in their places in single precision; and the
# factor that is between the exponents of both.
_HALF_INFINITY = np.int16(0x7C00)
_SINGLE_MASK = np.uint32(0x8FFFE000).view(np.int32)
_EXPONENTS = np.float32(2.0**112)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The stored numbers of one weight.

    Attributes:
        format: Its format.
        shape: Shape of the weight.
        axes: Axes of `numbers` along which they share a scale.
        numbers: Integers (int8 if symmetric, else uint8), bits of floating point numbers (uint8), or places in the
            codebook (uint8 or uint16). Grouped if the format is.
        scale: float32, before it is rounded to its stored type; shape of `numbers` with 1 along `axes`.
        zero_point: uint8, shape of `scale`; None for formats without one.
        scale_of_scales: What all scales are multiplied by, for formats whose scales are floating point numbers of 8
            bits: `scale` then holds these.
    """

    format: WeightFormat
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    numbers: Numbers
    scale: FloatArray
    zero_point: NDArray[np.uint8] | None = None
    scale_of_scales: float | None = None

    @property
    def stored_scale(self) -> FloatArray:
        """The scales that the model computes with: rounded to their stored type."""
        if self.scale_of_scales is not None:
            return self.scale * np.float32(self.scale_of_scales)
        return self.scale.astype(np.float16).astype(np.float32) if self.format.scale_type == "f16" else self.scale


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the numbers that share a scale stand.

    Attributes:
        shape: Shape of the stored numbers: that of the weight, or with its reduced axis split into groups.
        axes: Axes along which they share a scale.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]

    @classmethod
    def of(cls, shape: Sequence[int], axes: Sequence[int], group_size: int) -> Layout:
        """The layout of a weight.

        Args:
            shape: Shape of the weight.
            axes: Its reduced axes; one axis if there are groups.
            group_size: Numbers of a group; -1 without groups.

        Raises:
            ValueError: Groups along several axes, or of a size that does not divide the axis.
        """
        shape, axes = tuple(shape), tuple(axes)
        if group_size < 0:
            return cls(shape, axes)
        if len(axes) != 1 or shape[axes[0]] % group_size:
            msg = f"groups of {group_size} do not fit a weight of shape {list(shape)} along the axes {list(axes)}."
            raise ValueError(msg)
        (axis,) = axes
        split = (*shape[:axis], shape[axis] // group_size, group_size, *shape[axis + 1 :])
        return cls(split, (axis + 1,))

    @property
    def kept(self) -> tuple[int, ...]:
        """Axes with a scale for each index."""
        return tuple(axis for axis in range(len(self.shape)) if axis not in self.axes)

    @property
    def scale_shape(self) -> tuple[int, ...]:
        """Shape of the scales."""
        return tuple(1 if axis in self.axes else length for axis, length in enumerate(self.shape))

    def by_scale(self, values: Numbers) -> Numbers:
        """A view of numbers, or of scales, with the kept axes first and the others last."""
        return values.transpose(*self.kept, *self.axes)

    def blocks(self) -> Iterator[Index]:
        """Indices of blocks of whole rows, in views that `by_scale` gives."""
        yield from _blocks([self.shape[axis] for axis in (*self.kept, *self.axes)], len(self.kept))

    @property
    def row(self) -> int:
        """Numbers of a row."""
        return math.prod(self.shape[axis] for axis in self.axes)


def _blocks(shape: Sequence[int], kept: int) -> Iterator[Index]:
    each = math.prod(shape[1:])
    if not kept or 0 in shape:
        yield (slice(None),)
    elif kept > 1 and each > _BLOCK:
        for index in range(shape[0]):
            for rest in _blocks(shape[1:], kept - 1):
                yield index, *rest
    else:
        step = max(1, _BLOCK // max(each, 1))
        for start in range(0, shape[0], step):
            yield (slice(start, start + step),)


def by_block(weight: Numbers, layout: Layout, work: Callable[[Index, FloatArray], T]) -> list[T]:
    """Does work on the rows of a weight block by block, in single precision; on all cores if the weight is large.

    Args:
        weight: The weight.
        layout: Where the numbers of a row stand.
        work: Takes the index of a block in views that `Layout.by_scale` gives, and new float32 [R, numbers of a row]
            that it may overwrite. Numbers that are not finite warn of nothing.

    Returns:
        What the work gave for each block.
    """
    view = layout.by_scale(weight.reshape(layout.shape))

    def done(index: Index) -> T:
        with np.errstate(invalid="ignore", over="ignore"):
            return work(index, in_single(view[index]).reshape(-1, layout.row))

    workers = cpu_count() if weight.size >= _LARGE else 1
    if workers == 1:
        return list(map(done, layout.blocks()))
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(done, layout.blocks()))


def extremes(rows: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least and largest number of each row [R, row]; NaN where one is NaN."""
    if rows.shape[1] > _SHORT:
        return rows.min(axis=1), rows.max(axis=1)
    # numpy starts a loop for each row, which takes longer than a short row itself.
    columns = np.ascontiguousarray(rows.T)
    return columns.min(axis=0), columns.max(axis=0)


def in_single(numbers: Numbers) -> FloatArray:
    """New float32 of numbers, in their order.

    Bits of half precision are moved to their places: three times as fast as numpy's conversion, and exact. Exponents of
    infinities and NaN would become those of finite numbers.
    """
    if numbers.dtype != np.float16:
        return np.array(numbers, np.float32, order="C")
    bits = np.ascontiguousarray(numbers).view(np.int16)
    if (bits & np.int16(0x7FFF)).max(initial=0) >= _HALF_INFINITY:
        return np.array(numbers, np.float32, order="C")
    moved = bits.astype(np.int32)
    moved <<= 13
    moved &= _SINGLE_MASK
    found = moved.view(np.float32)
    found *= _EXPONENTS
    return found
