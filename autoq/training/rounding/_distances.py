"""How far the tensors that a block gives are from those of the float model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional

_SMALLEST = 1e-12

# Of the tensors of a block, and those of the float model.
Loss = Callable[[Sequence[Any], Sequence[Any]], Any]


def squared_errors(truth: Sequence[Sequence[Any]]) -> Loss:
    """The mean squared error of each tensor over its variance, summed over tensors; those of integers do not count.

    Args:
        truth: What the float model gives, by chunk of samples.
    """
    columns = list(zip(*truth, strict=True))
    spreads = {
        place: max(_variance(values), _SMALLEST)
        for place, values in enumerate(columns)
        if values[0].is_floating_point()
    }

    def loss(ours: Sequence[Any], theirs: Sequence[Any]) -> Any:
        terms = [functional.mse_loss(ours[place], theirs[place]) / spread for place, spread in spreads.items()]
        return torch.stack(terms).sum()

    return loss


def _variance(values: Sequence[Any]) -> float:
    count = sum(value.numel() for value in values)
    mean = sum(float(value.double().sum()) for value in values) / count
    total = sum(float((value.double() - mean).square().sum()) for value in values)
    return total / float(count)
