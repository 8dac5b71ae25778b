"""Convolutions in one, two and three dimensions, and products of matrices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from autoq.training.twin.rows._products import product
from autoq.training.twin.rows._row import LearnedWeight, Sizes, integers, row

_CONVOLVE = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_SPREAD = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


def same_pads(
    lengths: Sequence[int], windows: Sequence[int], strides: Sequence[int], *, upper: bool
) -> tuple[list[int], list[int]]:
    """Pads before and after each axis, so that a stride divides its length; the odd one is at the upper end or not."""
    whole = [
        max((-(-length // stride) - 1) * stride + window - length, 0)
        for length, window, stride in zip(lengths, windows, strides, strict=True)
    ]
    less, more = [pad // 2 for pad in whole], [pad - pad // 2 for pad in whole]
    return (less, more) if upper else (more, less)


def given_pads(
    auto_pad: str,
    pads: tuple[Sequence[int], Sequence[int]],
    lengths: Sequence[int],
    windows: Sequence[int],
    strides: Sequence[int],
) -> tuple[Sequence[int], Sequence[int]]:
    """Pads as an attribute asks for them."""
    match auto_pad:
        case "same_upper" | "same_lower":
            return same_pads(lengths, windows, strides, upper=auto_pad == "same_upper")
        case "valid":
            return [0] * len(lengths), [0] * len(lengths)
        case _:
            return pads


def spatial_pad(x: Tensor, begin: Sequence[int], end: Sequence[int], value: float = 0.0) -> Tensor:
    """Pads the last axes; a negative pad crops."""
    pairs = [pad for pair in zip(reversed(begin), reversed(end), strict=True) for pad in pair]
    return functional.pad(x, pairs, value=value) if any(pairs) else x


@row("Convolution")
def convolution(
    x: Tensor,
    weight: LearnedWeight,
    bias: LearnedWeight = None,
    *,
    strides: list[int],
    dilations: list[int],
    pads_begin: list[int],
    pads_end: list[int],
    auto_pad: str = "explicit",
    groups: int = 1,
) -> Tensor:
    """A convolution, with the bias that is added to it. Other pads at the two ends are zeros before it."""
    windows = [(size - 1) * dilation + 1 for size, dilation in zip(weight.shape[2:], dilations, strict=True)]
    begin, end = given_pads(auto_pad, (pads_begin, pads_end), x.shape[2:], windows, strides)
    if list(begin) != list(end) or min(begin) < 0:
        x, begin = spatial_pad(x, begin, end), [0] * len(begin)
    shift = None if bias is None else bias.reshape(-1)
    settings = strides, list(begin), dilations, groups
    if groups > 1:
        # Each number is read for few products: a type of half the width gains nothing.
        return _CONVOLVE[len(strides)](x, weight, shift, *settings)
    return product(_CONVOLVE[len(strides)], (x, weight, shift), *settings)


@row("GroupConvolution")
def group_convolution(
    x: Tensor,
    weight: LearnedWeight,
    bias: LearnedWeight = None,
    *,
    strides: list[int],
    dilations: list[int],
    pads_begin: list[int],
    pads_end: list[int],
    auto_pad: str = "explicit",
) -> Tensor:
    """Its weights [groups, out, in, ...] are [groups * out, in, ...] in PyTorch."""
    return convolution(
        x,
        weight.flatten(0, 1),
        bias,
        strides=strides,
        dilations=dilations,
        pads_begin=pads_begin,
        pads_end=pads_end,
        auto_pad=auto_pad,
        groups=weight.shape[0],
    )


@row("ConvolutionBackpropData")
def transposed_convolution(
    x: Tensor,
    weight: LearnedWeight,
    output_shape: Sizes = None,
    bias: LearnedWeight = None,
    *,
    strides: list[int],
    dilations: list[int],
    pads_begin: list[int],
    pads_end: list[int],
    auto_pad: str = "explicit",
    output_padding: list[int],
    groups: int = 1,
) -> Tensor:
    """Spreads each number by the weights. Pads crop; a given output shape decides them."""
    windows = [(size - 1) * dilation + 1 for size, dilation in zip(weight.shape[2:], dilations, strict=True)]
    whole = [
        (length - 1) * stride + window + extra
        for length, stride, window, extra in zip(x.shape[2:], strides, windows, output_padding, strict=True)
    ]
    begin, end = list(pads_begin), list(pads_end)
    if output_shape is not None:
        excess = [size - wanted for size, wanted in zip(whole, integers(output_shape), strict=True)]
        less, more = [pad // 2 for pad in excess], [pad - pad // 2 for pad in excess]
        begin, end = (more, less) if auto_pad == "same_upper" else (less, more)
    elif auto_pad in {"same_upper", "same_lower", "valid"}:
        begin = end = [0] * len(strides)
    y = product(_SPREAD[len(strides)], (x, weight, None), strides, 0, 0, groups, dilations)
    y = spatial_pad(y, [-pad for pad in begin], [extra - pad for extra, pad in zip(output_padding, end, strict=True)])
    return y if bias is None else y + bias


@row("GroupConvolutionBackpropData")
def transposed_group_convolution(
    x: Tensor,
    weight: LearnedWeight,
    output_shape: Sizes = None,
    bias: LearnedWeight = None,
    *,
    strides: list[int],
    dilations: list[int],
    pads_begin: list[int],
    pads_end: list[int],
    auto_pad: str = "explicit",
    output_padding: list[int],
) -> Tensor:
    """Its weights [groups, in, out, ...] are [groups * in, out, ...] in PyTorch."""
    return transposed_convolution(
        x,
        weight.flatten(0, 1),
        output_shape,
        bias,
        strides=strides,
        dilations=dilations,
        pads_begin=pads_begin,
        pads_end=pads_end,
        auto_pad=auto_pad,
        output_padding=output_padding,
        groups=weight.shape[0],
    )


@row("MatMul")
def matmul(
    a: LearnedWeight, b: LearnedWeight, bias: LearnedWeight = None, *, transpose_a: bool, transpose_b: bool
) -> Tensor:
    """A product, with the bias that is added to it. A vector is not transposed."""
    left = a.mT if transpose_a and a.dim() > 1 else a
    if b.dim() == 2:
        shift = None if bias is None else bias.reshape(-1)
        return product(functional.linear, (left, b if transpose_b else b.mT, shift))
    y = product(torch.matmul, (left, b.mT if transpose_b and b.dim() > 1 else b))
    return y if bias is None else y + bias


@row("Einsum")
def einsum(*xs: LearnedWeight, equation: str) -> Tensor:
    """Sums of products over named axes."""
    return torch.einsum(equation, *xs)
