"""Numbers by their place: gathering and scattering."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from autoq.training.twin.rows._row import LookupTable, Sizes, integer, row
from autoq.training.twin.rows._types import TYPES


@row("Gather")
def gather(table: LookupTable, indices: Tensor, axis: Sizes, *, batch_dims: int = 0) -> Tensor:
    """Slices of an axis by their numbers; a single number drops the axis. A negative number counts from the end."""
    along = integer(axis) % table.dim()
    places = _from_start(indices, table.shape[along])
    if batch_dims == 0 or batch_dims % max(indices.dim(), 1) == 0:
        if along == 0 and table.dim() == 2:
            return functional.embedding(places, table)
        y = table.index_select(along, places.reshape(-1))
        return y.reshape([*table.shape[:along], *indices.shape, *table.shape[along + 1 :]])
    shared = batch_dims % indices.dim()
    before, after = table.shape[shared:along], table.shape[along + 1 :]
    own = indices.shape[shared:]
    rows = table.reshape(-1, *before, table.shape[along], *after).movedim(1 + len(before), 1)
    flat = places.reshape(rows.shape[0], -1)
    y = torch.stack([part[chosen] for part, chosen in zip(rows, flat, strict=True)])
    y = y.reshape(*table.shape[:shared], *own, *before, *after)
    for step in range(len(before)):
        y = y.movedim(shared + len(own) + step, shared + step)
    return y


def _from_start(indices: Tensor, length: int) -> Tensor:
    places = indices.long()
    return torch.where(places < 0, places + length, places)


@row("GatherElements")
def gather_elements(x: Tensor, indices: Tensor, *, axis: int) -> Tensor:
    """A number for each index, from the same place along the other axes."""
    return torch.gather(x, axis, _from_start(indices, x.shape[axis]))


@row("GatherND")
def gather_nd(x: Tensor, indices: Tensor, *, batch_dims: int = 0) -> Tensor:
    """Slices by numbers along several axes, behind axes that both tensors share."""
    count = indices.shape[-1]
    shared = x.shape[:batch_dims]
    rows = x.reshape(-1, *x.shape[batch_dims:])
    places = indices.long().reshape(rows.shape[0], -1, count)
    own = torch.arange(rows.shape[0], device=x.device).reshape(-1, 1)
    along = [_from_start(places[..., axis], rows.shape[1 + axis]) for axis in range(count)]
    y = rows[(own, *along)]
    return y.reshape([*shared, *indices.shape[batch_dims:-1], *x.shape[batch_dims + count :]])


@row("ScatterUpdate")
def scatter_update(x: Tensor, indices: Tensor, updates: Tensor, axis: Sizes) -> Tensor:
    """Slices of an axis replaced."""
    along = integer(axis) % x.dim()
    places = _from_start(indices, x.shape[along]).reshape(-1)
    new = updates.reshape([*x.shape[:along], places.numel(), *x.shape[along + 1 :]])
    return x.index_copy(along, places, new.to(x.dtype))


_REDUCED = {"sum": "sum", "prod": "prod", "min": "amin", "max": "amax", "mean": "mean"}


@row("ScatterElementsUpdate")
def scatter_elements(
    x: Tensor, indices: Tensor, updates: Tensor, axis: Sizes, *, reduction: str = "none", use_init_val: bool = True
) -> Tensor:
    """Numbers replaced, or put together with what stands there."""
    along = integer(axis)
    places = _from_start(indices, x.shape[along])
    if reduction == "none":
        return x.scatter(along, places, updates)
    return x.scatter_reduce(along, places, updates, _REDUCED[reduction], include_self=use_init_val)


@row("ScatterNDUpdate")
def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, *, reduction: str = "none") -> Tensor:
    """Slices by numbers along several axes replaced, or put together with what stands there."""
    count = indices.shape[-1]
    sizes = x.shape[:count]
    flat = torch.zeros(indices.shape[:-1], dtype=torch.int64, device=x.device)
    for axis, size in enumerate(sizes):
        flat = flat * size + _from_start(indices[..., axis], size)
    rows = x.reshape(sizes.numel(), -1)
    new = updates.reshape(flat.numel(), -1)
    places = flat.reshape(-1, 1).expand(-1, rows.shape[1])
    if reduction in {"none", ""}:
        return rows.scatter(0, places, new).reshape(x.shape)
    if reduction == "sub":
        return rows.scatter_reduce(0, places, -new, "sum").reshape(x.shape)
    return rows.scatter_reduce(0, places, new, _REDUCED[reduction]).reshape(x.shape)


@row("OneHot")
def one_hot(indices: Tensor, depth: Sizes, on: Tensor, off: Tensor, *, axis: int) -> Tensor:
    """A number at the place of each index, and another one elsewhere, along a new axis."""
    along = axis % (indices.dim() + 1)
    count = integer(depth)
    steps = torch.arange(count, device=indices.device).reshape(-1, *[1] * (indices.dim() - along))
    wanted = indices.unsqueeze(along)
    wanted = torch.where(wanted < 0, wanted + count, wanted)
    return torch.where(wanted == steps, on, off)


@row("NonZero")
def non_zero(x: Tensor, *, output_type: str = "i64") -> Tensor:
    """Places of the numbers that are not zero: [axes, count]."""
    return torch.nonzero(x).T.to(TYPES[output_type])


@row("Bucketize")
def bucketize(x: Tensor, borders: Tensor, *, output_type: str = "i64", with_right_bound: bool = True) -> Tensor:
    """The interval that each number is in; its right border belongs to it, or its left one."""
    return torch.bucketize(x, borders, right=not with_right_bound).to(TYPES[output_type])


@row("SearchSorted")
def search_sorted(borders: Tensor, x: Tensor, *, right_mode: bool, output_type: str = "i64") -> Tensor:
    """The place of each number among sorted ones."""
    return torch.searchsorted(borders, x, right=right_mode).to(TYPES[output_type])


@row("TopK")
def top_k(
    x: Tensor, k: Sizes, *, axis: int, mode: str, sort: str, index_element_type: str = "i32"
) -> tuple[Tensor, Tensor]:
    """The greatest or smallest numbers of an axis and their places, in the order of the values or of the places."""
    place = torch.argsort(x.detach(), dim=axis, descending=mode == "max", stable=True)
    place = place.narrow(axis, 0, integer(k))
    if sort == "index":
        place = place.sort(axis).values
    return torch.gather(x, axis, place), place.to(TYPES[index_element_type])


@row("EmbeddingBagOffsetsSum")
def embedding_bag_offsets(
    table: LookupTable, indices: Tensor, offsets: Tensor, default: Tensor = None, weights: Tensor = None
) -> Tensor:
    """Sums of the rows of each bag, which begins at an offset; an empty bag has a default row."""
    starts = offsets.long()
    ends = torch.cat([starts[1:], starts.new_tensor([indices.shape[0]])])
    place = torch.arange(indices.shape[0], device=indices.device)
    bag = torch.searchsorted(starts, place, right=True) - 1
    rows = functional.embedding(indices.long(), table)
    rows = rows if weights is None else rows * weights.reshape(-1, *[1] * (rows.dim() - 1))
    y = rows.new_zeros((starts.shape[0], *rows.shape[1:])).index_add(0, bag, rows)
    if default is None or int(default) < 0:
        return y
    is_empty = (starts == ends).reshape(-1, *[1] * (rows.dim() - 1))
    return torch.where(is_empty, table[int(default)], y)


@row("EmbeddingBagPackedSum")
def embedding_bag_packed(table: LookupTable, indices: Tensor, weights: Tensor = None) -> Tensor:
    """Sums of the rows of each bag; all bags are of one size."""
    rows = functional.embedding(indices.long(), table)
    return (rows if weights is None else rows * weights.unsqueeze(-1)).sum(1)
