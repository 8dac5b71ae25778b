"""One number of many: sums, means, greatest and smallest, norms."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from autoq.training.twin.rows._row import Sizes, integers, row


def _over(x: Tensor, axes: Sizes, reduce: Callable[[list[int]], Tensor]) -> Tensor:
    along = integers(axes)
    return reduce(along) if along else x


@row("ReduceSum")
def reduce_sum(x: Tensor, axes: Sizes, *, keep_dims: bool) -> Tensor:
    """The sum."""
    return _over(x, axes, lambda along: torch.sum(x, along, keep_dims, dtype=x.dtype))


@row("ReduceMean")
def reduce_mean(x: Tensor, axes: Sizes, *, keep_dims: bool) -> Tensor:
    """The mean; of integers rounded towards zero."""
    if x.is_floating_point():
        return _over(x, axes, lambda along: torch.mean(x, along, keep_dims))
    return _over(x, axes, lambda along: torch.mean(x.double(), along, keep_dims).to(x.dtype))


@row("ReduceMax")
def reduce_max(x: Tensor, axes: Sizes, *, keep_dims: bool) -> Tensor:
    """The greatest."""
    return _over(x, axes, lambda along: torch.amax(x, along, keep_dims))


@row("ReduceMin")
def reduce_min(x: Tensor, axes: Sizes, *, keep_dims: bool) -> Tensor:
    """The smallest."""
    return _over(x, axes, lambda along: torch.amin(x, along, keep_dims))


@row("ReduceProd")
def reduce_prod(x: Tensor, axes: Sizes, *, keep_dims: bool) -> Tensor:
    """The product."""
    y = x
    for axis in sorted((axis % x.dim() for axis in integers(axes)), reverse=True):
        y = torch.prod(y, axis, keep_dims, dtype=x.dtype)
    return y


@row("ReduceL1")
def reduce_l1(x: Tensor, axes: Sizes, *, keep_dims: bool) -> Tensor:
    """The sum of absolute values."""
    return _over(x.abs(), axes, lambda along: torch.sum(x.abs(), along, keep_dims, dtype=x.dtype))


@row("ReduceL2")
def reduce_l2(x: Tensor, axes: Sizes, *, keep_dims: bool) -> Tensor:
    """The root of the sum of squares."""
    return _over(x.abs(), axes, lambda along: torch.linalg.vector_norm(x, 2, along, keep_dims))


@row("ReduceLogicalAnd")
def reduce_logical_and(x: Tensor, axes: Sizes, *, keep_dims: bool) -> Tensor:
    """Whether all are."""
    return _over(x, axes, lambda along: torch.all(x, along, keep_dims))


@row("ReduceLogicalOr")
def reduce_logical_or(x: Tensor, axes: Sizes, *, keep_dims: bool) -> Tensor:
    """Whether one is."""
    return _over(x, axes, lambda along: torch.any(x, along, keep_dims))
