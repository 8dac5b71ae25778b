"""Tensors put into another form: shapes, axes, parts, and repetitions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from autoq.training.twin.rows._row import Sizes, integer, integers, row
from autoq.training.twin.rows._types import TYPES


@row("ShapeOf")
def shape_of(x: Tensor, *, output_type: str = "i64") -> Tensor:
    """Lengths of all axes, on the CPU."""
    return torch.tensor(x.shape, dtype=TYPES[output_type])


@row("Identity")
def identity(x: Tensor) -> Tensor:
    """The same tensor."""
    return x


@row("Reshape")
def reshape(x: Tensor, pattern: Sizes, *, special_zero: bool) -> Tensor:
    """A zero is the length at the same place if `special_zero`; -1 is what is left."""
    sizes = integers(pattern)
    if special_zero:
        sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    if 0 in sizes and -1 in sizes:
        sizes = [0 if size == -1 else size for size in sizes]
    return x.reshape(sizes)


@row("Transpose")
def transpose(x: Tensor, order: Sizes) -> Tensor:
    """Axes in another order; an empty order turns them round."""
    return x.permute(integers(order) or list(range(x.dim()))[::-1])


@row("Squeeze")
def squeeze(x: Tensor, axes: Sizes = None) -> Tensor:
    """Drops axes of length one."""
    if axes is None or not integers(axes):
        return x.squeeze()
    dropped = {axis % x.dim() for axis in integers(axes)}
    return x.reshape([size for axis, size in enumerate(x.shape) if axis not in dropped or size != 1])


@row("Unsqueeze")
def unsqueeze(x: Tensor, axes: Sizes) -> Tensor:
    """Puts in axes of length one; their places are those of the result."""
    wanted = integers(axes)
    rank = x.dim() + len(wanted)
    for axis in sorted(axis % rank for axis in wanted):
        x = x.unsqueeze(axis)
    return x


@row("Concat")
def concat(*xs: Tensor, axis: int) -> Tensor:
    """One after the other."""
    return torch.cat(xs, axis)


@row("Split")
def split(x: Tensor, axis: Sizes, *, num_splits: int) -> tuple[Tensor, ...]:
    """Equal parts."""
    along = integer(axis)
    return tuple(torch.split(x, max(x.shape[along] // num_splits, 1), along)) if x.shape[along] else (x,) * num_splits


@row("VariadicSplit")
def variadic_split(x: Tensor, axis: Sizes, lengths: Sizes) -> tuple[Tensor, ...]:
    """Parts of given lengths, one of which may be -1: what is left."""
    along, sizes = integer(axis), integers(lengths)
    if -1 in sizes:
        sizes[sizes.index(-1)] = x.shape[along] - sum(sizes) - 1
    return tuple(torch.split(x, sizes, along))


@row("Slice")
def sliced(x: Tensor, start: Sizes, stop: Sizes, step: Sizes, axes: Sizes = None) -> Tensor:
    """Numbers from start to stop by step, along some axes."""
    begins = integers(start)
    along = list(range(len(begins))) if axes is None else integers(axes)
    for axis, begin, end, by in zip(along, begins, integers(stop), integers(step), strict=True):
        x = one_slice(x, axis, begin, end, by)
    return x


def one_slice(x: Tensor, axis: int, begin: int | None, end: int | None, by: int) -> Tensor:
    """A slice of one axis as Python takes it, backwards too."""
    if by == 1:
        first, last, _ = slice(begin, end).indices(x.shape[axis])
        return x.narrow(axis, first, max(last - first, 0))
    places = range(*slice(begin, end, by).indices(x.shape[axis]))
    if by > 0:
        cut = [slice(None)] * x.dim()
        cut[axis] = slice(places.start, places.stop, by)
        return x[tuple(cut)]
    return x.index_select(axis, torch.tensor(list(places), dtype=torch.int64, device=x.device))


@row("StridedSlice")
def strided_slice(
    x: Tensor,
    begin: Sizes,
    end: Sizes,
    strides: Sizes = None,
    *,
    begin_mask: list[int],
    end_mask: list[int],
    new_axis_mask: list[int],
    shrink_axis_mask: list[int],
    ellipsis_mask: list[int],
) -> Tensor:
    """Python's subscript with slices, numbers, new axes and one ellipsis, each told by a mask."""
    first, last = integers(begin), integers(end)
    steps = [1] * len(first) if strides is None else integers(strides)
    new, shrunk, whole, from_end, to_end = (
        [bool(mask[i]) if i < len(mask) else False for i in range(len(first))]
        for mask in (new_axis_mask, shrink_axis_mask, ellipsis_mask, begin_mask, end_mask)
    )
    axis = 0
    for i, step in enumerate(steps):
        if whole[i]:
            axis += x.dim() - axis - sum(not is_new for is_new in new[i + 1 :])
        elif new[i]:
            x = x.unsqueeze(axis)
            axis += 1
        elif shrunk[i]:
            x = x.select(axis, first[i])
        else:
            x = one_slice(x, axis, None if from_end[i] else first[i], None if to_end[i] else last[i], step)
            axis += 1
    return x


@row("Tile")
def tile(x: Tensor, repeats: Sizes) -> Tensor:
    """The tensor again and again."""
    return torch.tile(x, integers(repeats))


@row("Broadcast")
def broadcast(x: Tensor, shape: Sizes, axes: Sizes = None, *, mode: str = "numpy") -> Tensor:
    """Repeats axes of length one, up to a shape that counts from the last axis, or whose axes are mapped."""
    wanted = integers(shape)
    if mode == "explicit" and axes is not None:
        own = [1] * len(wanted)
        for size, axis in zip(x.shape, integers(axes), strict=True):
            own[axis] = size
        x = x.reshape(own)
    elif mode == "bidirectional":
        wanted = list(torch.broadcast_shapes(x.shape, torch.Size(wanted)))
    return x.expand(wanted)


@row("Range")
def arange(start: Tensor, stop: Tensor, step: Tensor, *, output_type: str) -> Tensor:
    """Numbers from start to stop, without it."""
    kind = TYPES[output_type]
    return torch.arange(start.item(), stop.item(), step.item(), dtype=kind, device=start.device)


@row("DepthToSpace")
def depth_to_space(x: Tensor, *, mode: str, block_size: int) -> Tensor:
    """Channels become blocks of pixels; the block is the slower part of the channels, or the faster one."""
    n, channels, *lengths = x.shape
    rank, block = len(lengths), [block_size] * len(lengths)
    inner = channels // block_size**rank
    if mode == "blocks_first":
        y = x.reshape(n, *block, inner, *lengths)
        order = [0, rank + 1, *(place for i in range(rank) for place in (rank + 2 + i, 1 + i))]
    else:
        y = x.reshape(n, inner, *block, *lengths)
        order = [0, 1, *(place for i in range(rank) for place in (rank + 2 + i, 2 + i))]
    return y.permute(order).reshape(n, inner, *(length * block_size for length in lengths))


@row("SpaceToDepth")
def space_to_depth(x: Tensor, *, mode: str, block_size: int) -> Tensor:
    """Blocks of pixels become channels."""
    n, channels, *lengths = x.shape
    rank = len(lengths)
    y = x.reshape(n, channels, *(part for length in lengths for part in (length // block_size, block_size)))
    rows, blocks = [2 + 2 * i for i in range(rank)], [3 + 2 * i for i in range(rank)]
    order = [0, *blocks, 1, *rows] if mode == "blocks_first" else [0, 1, *blocks, *rows]
    return y.permute(order).reshape(n, channels * block_size**rank, *(length // block_size for length in lengths))


@row("BatchToSpace")
def batch_to_space(x: Tensor, block: Sizes, begin: Sizes, end: Sizes) -> Tensor:
    """Samples become blocks of pixels, which are cropped."""
    blocks, rank = integers(block), x.dim()
    count = x.shape[0] // math.prod(blocks)
    y = x.reshape(*blocks, count, *x.shape[1:])
    y = y.permute([rank, *(place for i in range(1, rank) for place in (rank + i, i)), 0])
    y = y.reshape(
        x.shape[0] // math.prod(blocks), *(size * by for size, by in zip(x.shape[1:], blocks[1:], strict=True))
    )
    for axis, (first, last) in enumerate(zip(integers(begin), integers(end), strict=True)):
        y = y.narrow(axis, first, y.shape[axis] - first - last)
    return y


@row("SpaceToBatch")
def space_to_batch(x: Tensor, block: Sizes, begin: Sizes, end: Sizes) -> Tensor:
    """Blocks of pixels, padded by zeros, become samples."""
    blocks = integers(block)
    rank = x.dim()
    pairs = list(zip(integers(begin), integers(end), strict=True))
    x = torch.nn.functional.pad(x, [pad for pair in reversed(pairs) for pad in pair])
    sizes = [size // by for size, by in zip(x.shape, blocks, strict=True)]
    y = x.reshape([part for size, by in zip(sizes, blocks, strict=True) for part in (size, by)])
    y = y.permute([*(2 * i + 1 for i in range(rank)), *(2 * i for i in range(rank))])
    return y.reshape(math.prod(blocks) * sizes[0], *sizes[1:])


@row("ShuffleChannels")
def shuffle_channels(x: Tensor, *, axis: int, group: int) -> Tensor:
    """The channels of each group side by side."""
    along = axis % x.dim()
    parts = [*x.shape[:along], group, x.shape[along] // group, *x.shape[along + 1 :]]
    return x.reshape(parts).transpose(along, along + 1).reshape(x.shape)


@row("Roll")
def roll(x: Tensor, shift: Sizes, axes: Sizes) -> Tensor:
    """What leaves an axis at one end comes in at the other."""
    along, by = integers(axes), integers(shift)
    return torch.roll(x, by * len(along) if len(by) == 1 else by, along)
