"""Functions of one number: activations, roots, powers, rounding."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from autoq.training.twin.rows._row import LearnedWeight, Sizes, integer, row


@row("Relu")
def relu(x: Tensor) -> Tensor:
    """max(x, 0)."""
    return functional.relu(x)


@row("PRelu")
def prelu(x: Tensor, slope: LearnedWeight) -> Tensor:
    """X where it is positive, else x times a slope of the channel, which is axis 1; or a slope of any shape."""
    if slope.dim() == 1 and x.dim() > 1 and slope.shape[0] in {1, x.shape[1]}:
        slope = slope.reshape(-1, *[1] * (x.dim() - 2))
    return torch.where(x >= 0, x, x * slope)


@row("Elu")
def elu(x: Tensor, *, alpha: float) -> Tensor:
    """X where it is positive, else alpha (exp(x) - 1)."""
    return functional.elu(x, alpha)


@row("Selu")
def selu(x: Tensor, alpha: Tensor, scale: Tensor) -> Tensor:
    """Elu times a number."""
    return scale * torch.where(x > 0, x, alpha * torch.expm1(torch.clamp(x, max=0)))


@row("Gelu")
def gelu(x: Tensor, *, approximation_mode: str = "ERF") -> Tensor:
    """X times the normal distribution up to x, exact or through tanh."""
    return functional.gelu(x, approximate="tanh" if approximation_mode.lower() == "tanh" else "none")


@row("Swish")
def swish(x: Tensor, beta: Tensor = None) -> Tensor:
    """X sigmoid(beta x); beta is 1 if it is not given."""
    return functional.silu(x) if beta is None else x * torch.sigmoid(beta * x)


@row("HSwish")
def hswish(x: Tensor) -> Tensor:
    """X clamp(x + 3, 0, 6) / 6."""
    return functional.hardswish(x)


@row("HSigmoid")
def hsigmoid(x: Tensor) -> Tensor:
    """clamp(x + 3, 0, 6) / 6."""
    return functional.hardsigmoid(x)


@row("HardSigmoid")
def hard_sigmoid(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """clamp(alpha x + beta, 0, 1)."""
    return torch.clamp(alpha * x + beta, 0, 1)


@row("Mish")
def mish(x: Tensor) -> Tensor:
    """X tanh(softplus(x))."""
    return functional.mish(x)


@row("SoftPlus")
def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x))."""
    return functional.softplus(x)


@row("SoftSign")
def softsign(x: Tensor) -> Tensor:
    """X / (1 + |x|)."""
    return functional.softsign(x)


@row("Sigmoid")
def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return torch.sigmoid(x)


@row("Clamp")
def clamp(x: Tensor, *, min: float, max: float) -> Tensor:  # noqa: A002
    """The nearest number within limits; integers stay integers."""
    return torch.clamp(x, min, max) if x.is_floating_point() else torch.clamp(x, _whole(min), _whole(max))


def _whole(limit: float) -> int:
    most = 2**31 - 1
    return int(min(max(limit, -most), most))


@row("Softmax")
def softmax(x: Tensor, *, axis: int) -> Tensor:
    """Shares of an axis."""
    return torch.softmax(x, axis)


@row("LogSoftmax")
def log_softmax(x: Tensor, *, axis: int) -> Tensor:
    """Logarithm of shares of an axis."""
    return torch.log_softmax(x, axis)


@row("Abs")
def absolute(x: Tensor) -> Tensor:
    """|x|."""
    return torch.abs(x)


@row("Negative")
def negative(x: Tensor) -> Tensor:
    """-x."""
    return torch.neg(x)


@row("Sqrt")
def sqrt(x: Tensor) -> Tensor:
    """Square root."""
    return torch.sqrt(x)


@row("Exp")
def exp(x: Tensor) -> Tensor:
    """E to the power x."""
    return torch.exp(x)


@row("Log")
def log(x: Tensor) -> Tensor:
    """Natural logarithm."""
    return torch.log(x)


@row("Erf")
def erf(x: Tensor) -> Tensor:
    """Error function."""
    return torch.erf(x)


@row("Sign")
def sign(x: Tensor) -> Tensor:
    """-1, 0 or 1; no gradient."""
    return torch.sign(x)


@row("Floor")
def floor(x: Tensor) -> Tensor:
    """Rounded down; no gradient."""
    return torch.floor(x)


@row("Ceiling")
def ceiling(x: Tensor) -> Tensor:
    """Rounded up; no gradient."""
    return torch.ceil(x)


@row("Round")
def rounded(x: Tensor, *, mode: str) -> Tensor:
    """The nearest whole number; of two the even one, or the one away from zero. No gradient."""
    if mode.lower() == "half_to_even":
        return torch.round(x)
    return torch.sign(x) * torch.floor(torch.abs(x) + 0.5)


@row("Sin")
def sin(x: Tensor) -> Tensor:
    """Sine."""
    return torch.sin(x)


@row("Cos")
def cos(x: Tensor) -> Tensor:
    """Cosine."""
    return torch.cos(x)


@row("Tan")
def tan(x: Tensor) -> Tensor:
    """Tangent."""
    return torch.tan(x)


@row("Asin")
def asin(x: Tensor) -> Tensor:
    """Inverse sine."""
    return torch.asin(x)


@row("Acos")
def acos(x: Tensor) -> Tensor:
    """Inverse cosine."""
    return torch.acos(x)


@row("Atan")
def atan(x: Tensor) -> Tensor:
    """Inverse tangent."""
    return torch.atan(x)


@row("Sinh")
def sinh(x: Tensor) -> Tensor:
    """Hyperbolic sine."""
    return torch.sinh(x)


@row("Cosh")
def cosh(x: Tensor) -> Tensor:
    """Hyperbolic cosine."""
    return torch.cosh(x)


@row("Tanh")
def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return torch.tanh(x)


@row("Asinh")
def asinh(x: Tensor) -> Tensor:
    """Inverse hyperbolic sine."""
    return torch.asinh(x)


@row("Acosh")
def acosh(x: Tensor) -> Tensor:
    """Inverse hyperbolic cosine."""
    return torch.acosh(x)


@row("Atanh")
def atanh(x: Tensor) -> Tensor:
    """Inverse hyperbolic tangent."""
    return torch.atanh(x)


@row("IsFinite")
def is_finite(x: Tensor) -> Tensor:
    """Whether a number is neither infinite nor NaN."""
    return torch.isfinite(x)


@row("IsInf")
def is_inf(x: Tensor, *, detect_negative: bool = True, detect_positive: bool = True) -> Tensor:
    """Whether a number is infinite, with a sign that is asked for."""
    return (torch.isposinf(x) & detect_positive) | (torch.isneginf(x) & detect_negative)


@row("IsNaN")
def is_nan(x: Tensor) -> Tensor:
    """Whether a number is NaN."""
    return torch.isnan(x)


@row("CumSum")
def cumsum(x: Tensor, axis: Sizes, *, exclusive: bool = False, reverse: bool = False) -> Tensor:
    """Sums up to each place, from either end, with or without what stands there."""
    along = integer(axis)
    y = torch.flip(x, [along]) if reverse else x
    y = torch.cumsum(y, along, dtype=x.dtype) - (y if exclusive else 0)
    return torch.flip(y, [along]) if reverse else y
