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
"""

from __future__ import annotations

import math
from typing import Any

import torch

_SMALLEST = torch.finfo(torch.float32).tiny
_FUSED = hasattr(torch, "_fake_quantize_learnable_per_tensor_affine") and hasattr(
    torch, "_fake_quantize_learnable_per_channel_affine"
)


class LearnedQuantizer(torch.nn.Module):
    """A FakeQuantize with a learned scale and a fixed zero point.

    Attributes:
        scale: The scale, in the shape that it is broadcast in: [] or [1, C, 1, 1] for example. Its sign is ignored.
        zero_point: The zero point, in the same shape.
        levels: Number of levels.
    """

    def __init__(self, scale: torch.Tensor, zero_point: torch.Tensor, levels: int) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(scale.clone())
        self.register_buffer("zero_point", zero_point.clone(), persistent=False)
        self.levels = levels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The nearest level of each number, in single precision."""
        x = x.float()
        shape = (1,) * (x.dim() - self.scale.dim()) + tuple(self.scale.shape)
        axes = [axis for axis, size in enumerate(shape) if size > 1]
        scale = self.scale.abs().clamp(min=_SMALLEST)
        most = self.levels - 1
        factor = 1 / math.sqrt(max(x.numel() // self.scale.numel(), 1) * most)
        if len(axes) > 1 or len(shape) > x.dim() or not _FUSED:
            return _Nearest.apply(x, scale, self.zero_point, most, factor)
        if not self.scale.requires_grad:
            return _with_fixed_scale(x, scale, self.zero_point, most, axes)
        flat, zero = scale.reshape(-1), self.zero_point.reshape(-1)
        if axes:
            return torch._fake_quantize_learnable_per_channel_affine(x, flat, zero, axes[0], 0, most, factor)
        return torch._fake_quantize_learnable_per_tensor_affine(x, flat, zero, 0, most, factor)

    def extra_repr(self) -> str:
        """Shape and levels."""
        return f"scale={list(self.scale.shape)}, levels={self.levels}"


def _with_fixed_scale(x: Any, scale: Any, zero_point: Any, most: int, axes: list[int]) -> Any:
    flat, zero = scale.reshape(-1), zero_point.reshape(-1).to(torch.int32)
    if axes:
        return torch.fake_quantize_per_channel_affine(x, flat, zero, axes[0], 0, most)
    return torch.fake_quantize_per_tensor_affine(x, flat, zero, 0, most)


class _Nearest(torch.autograd.Function):
    """The formulas above in plain operations: for scales along several axes, and where PyTorch has no kernel."""

    @staticmethod
    def forward(ctx: Any, x: Any, scale: Any, zero_point: Any, most: int, factor: float) -> Any:
        ctx.save_for_backward(x, scale, zero_point)
        ctx.most, ctx.factor = most, factor
        return (torch.clamp(torch.round(x / scale) + zero_point, 0, most) - zero_point) * scale

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        x, scale, zero_point = ctx.saved_tensors
        exact = x / scale
        level = torch.round(exact) + zero_point
        inside = (level >= 0) & (level <= ctx.most)
        change = torch.where(inside, level - zero_point - exact, level.clamp(0, ctx.most) - zero_point)
        by_scale = (gradient * change * ctx.factor).sum_to_size(scale.shape)
        return gradient * inside, by_scale, None, None, None
