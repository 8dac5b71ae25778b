"""A compressed matrix that learns by a product of low rank.

| symbol | is                                                        | shape            | learns |
|--------|-----------------------------------------------------------|------------------|--------|
| W      | the float matrix, moved into the cells of the stored one  | [.., O, I]       | no     |
| A, B   | the adapter                                               | [.., r, I], [.., O, r] | yes |
| s, z   | scale and zero point; s may be negative                   | as stored        | s      |
| l(x)   | the level nearest to x                                    |                  |        |

    y = (l((W + B A) / s + z) - z) s

Rounding counts as if it was not there: dW = dy inside of the levels, 0 outside, dB = dW Aᵀ, dA = Bᵀ dW, and
ds = the sum of dy (y / s - W / s) inside and of dy y / s outside, times 1 / sqrt(numbers that share the scale, times
levels less one).

Nothing of the size of W is kept for the way back but W, which has half precision: the rest is computed again. A product
by y keeps y, if it is no `AdaptedProduct`.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from autoq.training.adapters._stored_matrix import StoredMatrix, blocks_of, part_of

LORA_A, LORA_B = "lora_A", "lora_B"


class AdaptedWeight(torch.nn.Module):
    """A compressed matrix as its float matrix, an adapter, and a quantizer.

    Args:
        matrix: What it is.
        weight: W as float16, in the shape of the stored numbers.
        scale: s, float32.
        lora_A: A, float32; B begins with zeros, so that the module begins with the stored matrix.

    Attributes:
        lora_A: A.
        lora_B: B.
        scale: s.
    """

    def __init__(self, matrix: StoredMatrix, weight: Any, scale: Any, lora_A: Any) -> None:  # noqa: N803  # its name
        super().__init__()
        self.scale = torch.nn.Parameter(scale)
        self.lora_A = torch.nn.Parameter(lora_A)
        self.lora_B = torch.nn.Parameter(torch.zeros(*matrix.shape[:-1], lora_A.shape[-2]))
        self.register_buffer("weight", weight, persistent=False)
        zero = matrix.zero_point
        self.register_buffer("zero_point", None if zero is None else torch.from_numpy(zero), persistent=False)
        self.register_buffer("levels", torch.from_numpy(matrix.levels), persistent=False)
        self.register_buffer("borders", torch.from_numpy(matrix.borders), persistent=False)
        self.is_even = matrix.is_even

    def forward(self) -> Any:
        """The matrix that a model computes with, in the shape of the stored numbers."""
        return _Rounded.apply(self.lora_A, self.lora_B, self.scale, self)

    def merged(self, block: slice) -> Any:
        """W + B A, float32, of a block of the first axis of the stored numbers."""
        weight = self.weight[block]
        lora_a, lora_b = self.factors(block)
        return torch.matmul(lora_b, lora_a).reshape(weight.shape).add_(weight)

    def factors(self, block: slice) -> tuple[Any, Any]:
        """A and the rows of B that make a block."""
        if self.lora_B.dim() > 2:
            return self.lora_A[block], self.lora_B[block]
        return self.lora_A, self.lora_B[self.rows(block)]

    def rows(self, block: slice) -> slice:
        """The rows of a matrix in a block: groups along its rows have several each."""
        each = self.lora_B.shape[0] // self.weight.shape[0]
        return slice(block.start * each, block.stop * each)

    def nearest(self, exact: Any) -> Any:
        """The nearest level of each number; ties of uneven levels are the lower one."""
        if self.is_even:
            return torch.round(exact).clamp_(self.levels[0], self.levels[-1])
        return self.levels[torch.bucketize(exact, self.borders[1:-1])]

    def extra_repr(self) -> str:
        """Rank and levels."""
        return f"rank={self.lora_A.shape[-2]}, levels={len(self.levels)}"


class _Rounded(torch.autograd.Function):
    """The formulas above, block by block."""

    @staticmethod
    def forward(ctx: Any, lora_a: Any, lora_b: Any, scale: Any, module: Any) -> Any:
        ctx.save_for_backward(lora_a, lora_b, scale)
        ctx.module = module
        shape = tuple(module.weight.shape)
        made = torch.empty(shape, dtype=scale.dtype, device=scale.device)
        for block in blocks_of(shape):
            size, zero = (part_of(one, block, shape) for one in (scale, module.zero_point))
            exact = module.merged(block).div_(size)
            level = module.nearest(exact if zero is None else exact.add_(zero))
            torch.mul(level if zero is None else level.sub_(zero), size, out=made[block])
        return made

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        lora_a, lora_b, scale = ctx.saved_tensors
        module, shape = ctx.module, tuple(ctx.module.weight.shape)
        by_a, by_b, by_scale = (torch.zeros_like(one) for one in (lora_a, lora_b, scale))
        for block in blocks_of(shape):
            size, zero = (part_of(one, block, shape) for one in (scale, module.zero_point))
            exact = module.merged(block).div_(size)
            if zero is not None:
                exact.add_(zero)
            level = module.nearest(exact)
            inside = (exact >= module.borders[0]) & (exact <= module.borders[-1])
            off = level if zero is None else level - zero
            # Inside, what rounding adds; outside, the level itself.
            change = torch.where(inside, level.sub(exact), off)
            given = gradient[block]
            part_of(by_scale, block, shape).add_((given * change).sum_to_size(size.shape))
            own_a, own_b = module.factors(block)
            by_weight = (given * inside).reshape(*own_b.shape[:-1], own_a.shape[-1])
            if lora_b.dim() > 2:
                by_b[block] = torch.matmul(by_weight, own_a.mT)
                by_a[block] = torch.matmul(own_b.mT, by_weight)
            else:
                by_b[module.rows(block)] = torch.matmul(by_weight, own_a.mT)
                by_a.addmm_(own_b.mT, by_weight)
        each = max(module.weight.numel() // scale.numel(), 1)
        return by_a, by_b, by_scale / math.sqrt(each * (len(module.levels) - 1)), None
