"""The levels and the scale of one weight, which learn by the signs of their gradients.

| symbol | is                                                                  |
|--------|---------------------------------------------------------------------|
| q0     | level that the weight is given with                                  |
| u      | position; the level is the nearest whole number to it                |
| f      | factor of the scale, near 1                                          |
| w      | what the model computes with: s f (round(u) - z)                     |
| g      | mean of the gradients of w so far, of which the newest weighs most   |

Rounding counts as if it was not there: the gradient of u has the sign of that of w, and the gradient of f is the sum of
dw (round(u) - z) over the numbers that share a scale. In place of dw stands g: the sign of the gradient of a single
batch is mostly that of its own samples. u stays within one level of q0 and f within a tenth of 1, so that
what was found before, by columns that take over errors for example, is where learning begins and never far away. u
begins between q0 and the level that the float weight would have, x: numbers near the middle of two levels change first.
Cheng et al., "Optimize weight rounding via signed gradient descent", equations 3 to 5.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from autoq.training.rounding._weights import QuantizedWeight, Rounded

# How far a position begins from its level, as a share of how far the float weight is.
_TOWARDS = 0.5
_MOST_LEVELS, _MOST_FACTOR = 1.0, 0.1
# What earlier gradients weigh, of 1: signs of single batches go where few samples point. On samples that no step sees,
# 0.8 takes 0.12 off the error of a layer of MiniLM, 0 takes 0.08, of a layer of SmolLM2 0.13 and 0.12.
_KEPT = 0.8
_SMALLEST = 1e-30

Positions = tuple[Any, Any]


class LearnedRounding:
    """A weight that learns.

    Args:
        weight: The weight as it is given.
        device: Where PyTorch computes.

    Attributes:
        value: The numbers that the weight has now, a tensor that takes gradients.
    """

    def __init__(self, weight: QuantizedWeight, device: torch.device) -> None:
        def tensor(values: Any) -> Any:
            return torch.from_numpy(np.array(values, np.float32)).to(device)

        self._most = weight.grid.levels - 1
        self._zero = tensor(weight.grid.zero_point)
        self._scale = tensor(weight.grid.scale)
        level = tensor(weight.given.level)
        away = (tensor(weight.exact) - level).clamp(-_MOST_LEVELS, _MOST_LEVELS)
        self._lowest = (level - _MOST_LEVELS).clamp(min=0)
        self._highest = (level + _MOST_LEVELS).clamp(max=self._most)
        self._position = (level + _TOWARDS * away).clamp(min=self._lowest, max=self._highest)
        self._factor = torch.ones_like(self._scale)
        self._gradient = torch.zeros_like(level)
        self.value = torch.empty_like(level).requires_grad_()
        self._show()

    @property
    def _steps(self) -> Any:
        """The level, less the zero point."""
        return torch.round(self._position) - self._zero

    def _show(self) -> None:
        with torch.no_grad():
            self.value.copy_(self._steps * (self._scale * self._factor))

    def step(self, rate: float, scale_rate: float) -> None:
        """Takes a step along the signs of the gradient that `value` has.

        Args:
            rate: Levels that a position moves.
            scale_rate: What a factor changes by.
        """
        if self.value.grad is None:
            return
        with torch.no_grad():
            # The sizes of gradients differ by batch; each batch has the same say.
            size = self.value.grad.abs().mean().clamp(min=_SMALLEST)
            self._gradient.mul_(_KEPT).add_(self.value.grad / size, alpha=1 - _KEPT)
            by_scale = (self._gradient * self._steps).sum_to_size(self._scale.shape)
            self._position.sub_(self._gradient.sign(), alpha=rate)
            torch.maximum(self._position, self._lowest, out=self._position)
            torch.minimum(self._position, self._highest, out=self._position)
            self._factor.sub_(by_scale.sign(), alpha=scale_rate).clamp_(1 - _MOST_FACTOR, 1 + _MOST_FACTOR)
        self.value.grad = None
        self._show()

    def state(self) -> Positions:
        """A copy of what has been learned."""
        return self._position.clone(), self._factor.clone()

    def restore(self, state: Positions) -> None:
        """Takes what `state` gave."""
        self._position.copy_(state[0])
        self._factor.copy_(state[1])
        self._show()

    def rounded(self) -> Rounded:
        """The levels and scales that the weight has now."""
        level = torch.round(self._position)
        return Rounded(_array(level), _array(self._scale * self._factor))


def _array(values: Any) -> Any:
    return np.asarray(values.float().cpu().numpy())
