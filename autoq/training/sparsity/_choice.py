r"""Which weights are kept, by their magnitude.

| scheme | zero become                                                                          |
|--------|--------------------------------------------------------------------------------------|
| local  | floor(ratio n) of the n numbers of each weight: those with the smallest \|w\|         |
| global | floor(ratio N) of the N numbers of all weights: those with the smallest \|w\| / \|\|w\|\|₂ |
| 2:4    | two of each four successive numbers along the input axis; what does not fill four stays |

Of equal magnitudes, the first ones become zero. A ratio of 0 keeps all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

_OF, _KEPT = 4, 2


def kept_locally(weights: Sequence[Any], ratio: float) -> list[Any]:
    """Where weights are kept, each weight by itself; tensors of booleans."""
    return [_largest(weight.abs().reshape(-1), ratio).reshape(weight.shape) for weight in weights]


def kept_globally(weights: Sequence[Any], ratio: float) -> list[Any]:
    """Where weights are kept, all weights together; tensors of booleans."""
    smallest = torch.finfo(torch.float32).tiny
    sizes = [(weight.abs() / weight.norm().clamp_min(smallest)).reshape(-1) for weight in weights]
    parts = _largest(torch.cat(sizes), ratio).split([size.numel() for size in sizes])
    return [part.reshape(weight.shape) for part, weight in zip(parts, weights, strict=True)]


def kept_in_fours(weight: Any, axis: int) -> Any:
    """Where a weight is kept if two of each four numbers along an axis are; a tensor of booleans."""
    lined = weight.abs().movedim(axis, -1)
    whole = lined.shape[-1] // _OF * _OF
    kept = torch.ones_like(lined, dtype=torch.bool)
    fours = lined[..., :whole].reshape(*lined.shape[:-1], -1, _OF)
    order = torch.sort(fours, dim=-1, stable=True).indices
    chosen = torch.ones_like(fours, dtype=torch.bool).scatter(-1, order[..., : _OF - _KEPT], False)
    kept[..., :whole] = chosen.reshape(*lined.shape[:-1], whole)
    return kept.movedim(-1, axis)


def _largest(sizes: Any, ratio: float) -> Any:
    count = int(ratio * sizes.numel())
    kept = torch.ones_like(sizes, dtype=torch.bool)
    kept[torch.sort(sizes, stable=True).indices[:count]] = False
    return kept
