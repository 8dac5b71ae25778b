"""Arithmetic of two tensors, comparisons, logic, and conversions."""

from __future__ import annotations

import torch
from torch import Tensor

from autoq.training.twin.rows._row import Factor, row
from autoq.training.twin.rows._types import TYPES


@row("Add")
def add(a: Factor, b: Factor) -> Tensor:
    """A + b."""
    return a | b if a.dtype == torch.bool else a + b


@row("Subtract")
def subtract(a: Factor, b: Factor) -> Tensor:
    """A - b."""
    return a - b


@row("Multiply")
def multiply(a: Factor, b: Factor) -> Tensor:
    """A b."""
    return a * b


@row("Divide")
def divide(a: Factor, b: Factor, *, m_pythondiv: bool = True) -> Tensor:
    """A / b; of integers the quotient, rounded down, or towards zero as C does."""
    if a.is_floating_point():
        return a / b
    return torch.div(a, b, rounding_mode="floor" if m_pythondiv else "trunc")


@row("FloorMod")
def floor_mod(a: Tensor, b: Tensor) -> Tensor:
    """Rest of a division that is rounded down: it has the sign of b."""
    return torch.remainder(a, b)


@row("Mod")
def mod(a: Tensor, b: Tensor) -> Tensor:
    """Rest of a division that is rounded towards zero: it has the sign of a."""
    return torch.fmod(a, b)


@row("Maximum")
def maximum(a: Tensor, b: Tensor) -> Tensor:
    """The greater one."""
    return torch.maximum(a, b)


@row("Minimum")
def minimum(a: Tensor, b: Tensor) -> Tensor:
    """The smaller one."""
    return torch.minimum(a, b)


@row("Power")
def power(a: Tensor, b: Tensor) -> Tensor:
    """A to the power b. A constant square is a product, whose gradient is finite everywhere."""
    if b.numel() == 1 and not b.requires_grad and b.dim() <= a.dim():
        return torch.pow(a, b.item())
    return torch.pow(a, b)


@row("SquaredDifference")
def squared_difference(a: Factor, b: Factor) -> Tensor:
    """(a - b)²."""
    return torch.square(a - b)


@row("Equal")
def equal(a: Tensor, b: Tensor) -> Tensor:
    """A = b."""
    return torch.eq(a, b)


@row("NotEqual")
def not_equal(a: Tensor, b: Tensor) -> Tensor:
    """A ≠ b."""
    return torch.ne(a, b)


@row("Greater")
def greater(a: Tensor, b: Tensor) -> Tensor:
    """A > b."""
    return torch.gt(a, b)


@row("GreaterEqual")
def greater_equal(a: Tensor, b: Tensor) -> Tensor:
    """A ≥ b."""
    return torch.ge(a, b)


@row("Less")
def less(a: Tensor, b: Tensor) -> Tensor:
    """A < b."""
    return torch.lt(a, b)


@row("LessEqual")
def less_equal(a: Tensor, b: Tensor) -> Tensor:
    """A ≤ b."""
    return torch.le(a, b)


@row("LogicalAnd")
def logical_and(a: Tensor, b: Tensor) -> Tensor:
    """Both."""
    return torch.logical_and(a, b)


@row("LogicalOr")
def logical_or(a: Tensor, b: Tensor) -> Tensor:
    """One of them, or both."""
    return torch.logical_or(a, b)


@row("LogicalXor")
def logical_xor(a: Tensor, b: Tensor) -> Tensor:
    """One of them alone."""
    return torch.logical_xor(a, b)


@row("LogicalNot")
def logical_not(a: Tensor) -> Tensor:
    """Not."""
    return torch.logical_not(a)


@row("BitwiseAnd")
def bitwise_and(a: Tensor, b: Tensor) -> Tensor:
    """Bits of both."""
    return torch.bitwise_and(a, b)


@row("BitwiseOr")
def bitwise_or(a: Tensor, b: Tensor) -> Tensor:
    """Bits of one of them, or of both."""
    return torch.bitwise_or(a, b)


@row("BitwiseXor")
def bitwise_xor(a: Tensor, b: Tensor) -> Tensor:
    """Bits of one of them alone."""
    return torch.bitwise_xor(a, b)


@row("BitwiseNot")
def bitwise_not(a: Tensor) -> Tensor:
    """The other bits."""
    return torch.bitwise_not(a)


@row("BitwiseLeftShift")
def bitwise_left_shift(a: Tensor, b: Tensor) -> Tensor:
    """Bits moved up."""
    return torch.bitwise_left_shift(a, b)


@row("BitwiseRightShift")
def bitwise_right_shift(a: Tensor, b: Tensor) -> Tensor:
    """Bits moved down."""
    return torch.bitwise_right_shift(a, b)


@row("Select")
def select(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """A where the condition holds, else b."""
    return torch.where(condition, a, b)


@row("Convert")
def convert(x: Tensor, *, destination_type: str) -> Tensor:
    """The same numbers in another type; a bool is whether a number is not zero."""
    return x.to(TYPES[destination_type])


@row("ConvertLike")
def convert_like(x: Tensor, like: Tensor) -> Tensor:
    """The same numbers in the type of another tensor."""
    return x.to(like.dtype)
