"""How far the tensors that a block gives are from those of the float model.

A row of a tensor [samples, tokens, channels] is a token. Layers behind it divide it by its size, so that its error
counts beside its size: a few tokens of language models are a hundred times as large as the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

_SMALLEST = 1e-12
_TOKENS = 3
# Rows that are smaller than this share of most are as good as empty: they count as if they had this size.
_EMPTY = 0.1

# Of the tensors of a block, and those of the float model.
Loss = Callable[[Sequence[Any], Sequence[Any]], Any]


def squared_errors(truth: Sequence[Sequence[Any]]) -> Loss:
    """The squared errors of each tensor, summed over tensors; those of integers do not count.

    1. Of tokens, the error of each over its mean square; the mean of them.
    2. Of all others, the mean over the variance.

    Args:
        truth: What the float model gives, by chunk of samples.
    """
    columns = {place: values for place, values in enumerate(zip(*truth, strict=True)) if values[0].is_floating_point()}
    spreads = {
        place: _median_size(values) if values[0].ndim == _TOKENS else _variance(values)
        for place, values in columns.items()
    }

    def loss(ours: Sequence[Any], theirs: Sequence[Any]) -> Any:
        return torch.stack([_error(ours[p], theirs[p], max(spread, _SMALLEST)) for p, spread in spreads.items()]).sum()

    return loss


def _error(ours: Any, theirs: Any, spread: float) -> Any:
    if theirs.ndim != _TOKENS:
        return functional.mse_loss(ours, theirs) / spread
    sizes = theirs.square().mean(dim=-1).clamp(min=_EMPTY * spread)
    return ((ours - theirs).square().mean(dim=-1) / sizes).mean()


def _median_size(values: Sequence[Any]) -> float:
    """The mean square that half of the tokens stay below."""
    return float(torch.cat([value.square().mean(dim=-1).ravel() for value in values]).median())


def _variance(values: Sequence[Any]) -> float:
    count = sum(value.numel() for value in values)
    mean = sum(float(value.double().sum()) for value in values) / count
    total = sum(float((value.double() - mean).square().sum()) for value in values)
    return total / float(count)
