"""Quantized weights that are computed once for several passes through a module, and learn from all of them together.

A step of samples of different lengths is several passes. Weights are the same in each, and quantizing them takes longer
than a short sentence does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from torch import Tensor

_OPEN: ContextVar[QuantizedOnce | None] = ContextVar("quantized_once", default=None)


@dataclass(slots=True)
class QuantizedOnce:
    """The weights that were quantized in a context.

    Attributes:
        values: By quantizer and weight: the quantized weight with its history, and the leaf that stands for it.
    """

    values: dict[tuple[int, int], tuple[Tensor, Tensor]] = field(default_factory=dict)

    def of(self, quantizer: torch.nn.Module, weight: Tensor, quantized: Callable[[Tensor], Tensor]) -> Tensor:
        """The quantized weight: a leaf, whose gradients add up."""
        key = id(quantizer), id(weight)
        if key not in self.values:
            value = quantized(weight)
            self.values[key] = value, value.detach().requires_grad_(value.requires_grad)
        return self.values[key][1]

    def backward(self) -> None:
        """Takes the gradients of the leaves on to the weights and to the scales of their quantizers."""
        pairs = [(value, leaf.grad) for value, leaf in self.values.values() if leaf.grad is not None]
        if pairs:
            torch.autograd.backward([value for value, _ in pairs], [gradient for _, gradient in pairs])


@contextmanager
def quantized_once() -> Iterator[QuantizedOnce]:
    """A context in which a quantizer computes each weight once; `backward` has to be called after the passes."""
    once = QuantizedOnce()
    token = _OPEN.set(once)
    try:
        yield once
    finally:
        _OPEN.reset(token)


def open_context() -> QuantizedOnce | None:
    """The context that is open; None outside of one."""
    return _OPEN.get()
