r"""Which weights are kept.

| symbol | is                                                                          |
|--------|-----------------------------------------------------------------------------|
| n, N   | how many numbers a weight has, and all weights together                     |
| w      | a number                                                                    |
| g      | gradient                                                                    |
| h      | half of the mean of g² over its channel, and half of that over its weight   |
| λ      | price of a number that is not zero                                          |

| scheme      | zero become                                                                          |
|-------------|--------------------------------------------------------------------------------------|
| local       | floor(ratio n) of the numbers of each weight: those with the smallest \|w\|            |
| global      | floor(ratio N) of the numbers of all weights: those with the smallest \|w\| / \|\|w\|\|₂ |
| regularized | floor(ratio N) of the numbers of all weights: those with the smallest h w²           |
| 2:4         | two of each four successive numbers along the input axis; what does not fill four stays |

Regularized is the L0 penalty, loss + λ (how many numbers are not zero) (Louizos, Welling and Kingma, "Learning sparse
neural networks through L0 regularization", 2018). Near the numbers of now the loss grows by h w²/2 when w becomes zero,
where h stands for the curvature as in Fisher's information (LeCun, Denker and Solla, "Optimal brain damage", 1990), so
that w is worth its price while h w²/2 > λ. λ is moved until exactly as many numbers become zero as are wanted.
The means are over steps too, the newest first. What is known of a single number after some hundred steps is uncertain,
and channels of a weight differ, so that h stands between the two.

Of equal numbers, the first ones become zero. A ratio of 0 keeps all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

_OF, _KEPT = 4, 2
# A share such as 0.29 is a little less than it says, as a float.
_SLACK = 1e-6


def kept_locally(weights: Sequence[Any], ratio: float) -> list[Any]:
    """Where weights are kept, each weight by itself; tensors of booleans."""
    return [_largest(weight.abs().reshape(-1), ratio).reshape(weight.shape) for weight in weights]


def kept_globally(weights: Sequence[Any], ratio: float) -> list[Any]:
    """Where weights are kept, all weights together; tensors of booleans."""
    smallest = torch.finfo(torch.float32).tiny
    return kept_at_a_price(weights, [1 / weight.norm().clamp_min(smallest).square() for weight in weights], ratio)


def kept_at_a_price(weights: Sequence[Any], curvatures: Sequence[Any], ratio: float) -> list[Any]:
    """Where weights are kept, all weights together, if each number has a price.

    Args:
        weights: The weights.
        curvatures: h of each, at least 0, of a shape that broadcasts to the weight's.
        ratio: Share of the numbers that become zero.

    Returns:
        Tensors of booleans.
    """
    sizes = [(weight.abs() * h.sqrt()).reshape(-1) for weight, h in zip(weights, curvatures, strict=True)]
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
    """All but the smallest ones, of which the first ones go if they are equal."""
    count = int(ratio * sizes.numel() + _SLACK)
    if count == 0:
        return torch.ones_like(sizes, dtype=torch.bool)
    border = sizes.kthvalue(count).values
    kept = sizes > border
    equal = (sizes == border).nonzero().reshape(-1)
    kept[equal[count - int((sizes < border).sum()) :]] = True
    return kept
