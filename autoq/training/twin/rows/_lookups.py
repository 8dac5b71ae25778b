"""Numbers by their place: gathering and scattering."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from autoq.training.twin.rows._row import LookupTable, Sizes, integer, row


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
