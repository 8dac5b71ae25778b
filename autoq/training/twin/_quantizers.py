"""Quantizers that learn their scale.

y = s (clamp(round(x / s) + z, 0, n) - z), with

| Name | Meaning | Learned |
|---|---|---|
| s | scale, one for the tensor or one for each channel | yes |
| z | zero point, a whole number in [0, n] | no |
| n | number of levels, less one | no |

Rounding counts as if it was not there: dx = g inside of the levels, 0 outside; ds = the sum of g (round(x / s) - x / s)
inside, -z g below and (n - z) g above, times 1 / sqrt(n times the numbers that share the scale). Since z is fixed, zero
stays exact and a symmetric quantizer stays symmetric. Esser et al., "Learned step size quantization", equations 2 to 5.

With l = -z and h = n - z, y = s clamp(round(x / s), l, h), and ds = (sum of g y - sum of dx x) / s, products of what is
there anyway. These few passes of vector instructions take an eighth of the time of PyTorch's own
`_fake_quantize_learnable_per_tensor_affine` on a CPU, which rounds one number after the other.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from autoq.training.twin._once import open_context

_SMALLEST = torch.finfo(torch.float32).tiny


class LearnedQuantizer(torch.nn.Module):
    """A FakeQuantize with a learned scale and a fixed zero point.

    Attributes:
        scale: The scale, in the shape that it is broadcast in: [] or [1, C, 1, 1] for example. Its sign is ignored.
        zero_point: The zero point, in the same shape.
        levels: Number of levels.
    """

    def __init__(self, scale: Tensor, zero_point: Tensor, levels: int) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(scale.clone())
        self.register_buffer("zero_point", zero_point.clone(), persistent=False)
        self.levels = levels
        least = float(zero_point.min())
        # Limits that are plain numbers need fewer passes.
        self._common = least if least == float(zero_point.max()) else None

    def forward(self, x: Tensor) -> Tensor:
        """The nearest level of each number, in single precision."""
        once = open_context()
        if once is not None and isinstance(x, torch.nn.Parameter):
            return once.of(self, x, self._nearest)
        return self._nearest(x)

    def _nearest(self, x: Tensor) -> Tensor:
        most = self.levels - 1
        zero = self.zero_point if self._common is None else self._common
        factor = 1 / math.sqrt(max(x.numel() // self.scale.numel(), 1) * most)
        made: Tensor = _Nearest.apply(x.float(), self.scale, -zero, most - zero, factor)
        return made

    def extra_repr(self) -> str:
        """Shape and levels."""
        return f"scale={list(self.scale.shape)}, levels={self.levels}"


class _Nearest(torch.autograd.Function):
    """The formulas above; `low` and `high` are l and h, numbers or tensors in the shape of the scale."""

    @staticmethod
    def forward(ctx: Any, x: Any, scale: Any, low: Any, high: Any, factor: float) -> Any:
        size = scale.abs().clamp(min=_SMALLEST)
        y = (x * size.reciprocal()).round_().clamp_(low, high).mul_(size)
        ctx.save_for_backward(x, y, scale, size)
        ctx.low, ctx.high, ctx.factor = low, high, factor
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        x, y, scale, size = ctx.saved_tensors
        is_one = size.numel() == 1 and x.device.type == "cpu"
        low, high = ctx.low - 0.5, ctx.high + 0.5
        if isinstance(low, Tensor):
            exact = x * size.reciprocal()
            inside = gradient * ((exact > low) & (exact < high))
        elif is_one:
            # A number of a CPU is at hand; that of a GPU would have to be waited for.
            inside = _between(gradient, x, low * float(size), high * float(size))
        else:
            inside = _between(gradient, x * size.reciprocal(), low, high)
        if not ctx.needs_input_grad[1]:
            return inside, None, None, None, None
        if is_one:
            by_scale = _product_sum(gradient, y) - _product_sum(inside, x)
        else:
            by_scale = (gradient * y).addcmul_(inside, x, value=-1).sum_to_size(size.shape)
        return inside, by_scale.reshape(size.shape) * (ctx.factor * scale.sign() / size), None, None, None


def _product_sum(a: Tensor, b: Tensor) -> Tensor:
    """The sum of a b over all numbers, in the order in which they lie in memory."""
    if b.is_contiguous(memory_format=torch.channels_last) and not b.is_contiguous():
        # Channels come last there: in the usual order they would be copied.
        a, b = a.permute(0, 2, 3, 1), b.permute(0, 2, 3, 1)
    return torch.dot(a.reshape(-1), b.reshape(-1))


def _between(gradient: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """The gradient where low < x < high, and 0 elsewhere, in one pass."""
    made: Tensor = torch.ops.aten.hardtanh_backward(gradient, x, low, high)
    return made
