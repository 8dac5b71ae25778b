"""Pooling: the greatest or the mean of each window."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from autoq.training.twin.rows._convolutions import given_pads, spatial_pad
from autoq.training.twin.rows._row import Sizes, integers, row
from autoq.training.twin.rows._types import TYPES

_GREATEST = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}
_ADAPTIVE_MEAN = {
    1: functional.adaptive_avg_pool1d,
    2: functional.adaptive_avg_pool2d,
    3: functional.adaptive_avg_pool3d,
}
_ADAPTIVE_GREATEST = {
    1: functional.adaptive_max_pool1d,
    2: functional.adaptive_max_pool2d,
    3: functional.adaptive_max_pool3d,
}
_MEAN = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}


def _padded_ends(
    lengths: list[int],
    windows: list[int],
    strides: list[int],
    begin: list[int],
    end: list[int],
    rounding: str,
) -> list[int]:
    """Pads after each axis, with those that a last, partly empty window needs."""
    ends = list(end)
    if rounding == "floor":
        return ends
    for i, (length, window, stride) in enumerate(zip(lengths, windows, strides, strict=True)):
        rest = length + begin[i] + end[i] - window
        count = -(-rest // stride) + 1
        if rounding == "ceil_torch" and (count - 1) * stride >= length + begin[i]:
            count -= 1
        ends[i] = max((count - 1) * stride + window - length - begin[i], end[i])
    return ends


def _prepared(
    x: Tensor,
    kernel: list[int],
    strides: list[int],
    dilations: list[int],
    pads: tuple[list[int], list[int]],
    rounding_type: str,
    auto_pad: str,
) -> tuple[list[int], list[int]]:
    """Pads before and after each axis that make every window a whole one."""
    windows = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    lengths = list(x.shape[2:])
    begin, end = given_pads(auto_pad, pads, lengths, windows, strides)
    rounding = "floor" if auto_pad in {"same_upper", "same_lower"} else rounding_type
    return list(begin), _padded_ends(lengths, windows, strides, list(begin), list(end), rounding)


@row("MaxPool")
def max_pool(
    x: Tensor,
    *,
    kernel: list[int],
    strides: list[int],
    pads_begin: list[int],
    pads_end: list[int],
    rounding_type: str = "floor",
    auto_pad: str = "explicit",
    dilations: list[int] | None = None,
) -> Tensor:
    """The greatest of each window."""
    by = dilations or [1] * len(kernel)
    begin, end = _prepared(x, kernel, strides, by, (pads_begin, pads_end), rounding_type, auto_pad)
    return _GREATEST[len(kernel)](spatial_pad(x, begin, end, _lowest(x)), kernel, strides, 0, by)


@row("MaxPool:all")
def max_pool_with_places(
    x: Tensor,
    *,
    kernel: list[int],
    strides: list[int],
    pads_begin: list[int],
    pads_end: list[int],
    rounding_type: str = "floor",
    auto_pad: str = "explicit",
    dilations: list[int] | None = None,
    index_element_type: str = "i64",
    axis: int = 0,
) -> tuple[Tensor, Tensor]:
    """The greatest of each window, and its place in the tensor, counted over all axes from a given one."""
    by = dilations or [1] * len(kernel)
    begin, end = _prepared(x, kernel, strides, by, (pads_begin, pads_end), rounding_type, auto_pad)
    padded = spatial_pad(x, begin, end, _lowest(x))
    y, flat = _GREATEST[len(kernel)](padded, kernel, strides, 0, by, return_indices=True)
    place = torch.zeros_like(flat)
    volume = 1
    for size, length, first in zip(padded.shape[:1:-1], x.shape[:1:-1], reversed(begin), strict=True):
        place, flat = place + (flat % size - first) * volume, torch.div(flat, size, rounding_mode="floor")
        volume *= length
    for own in (1, 0):
        if own >= axis % x.dim():
            steps = torch.arange(x.shape[own], device=x.device) * volume
            place = place + steps.reshape(-1, *[1] * (x.dim() - own - 1))
            volume *= x.shape[own]
    return y, place.to(TYPES[index_element_type])


def _lowest(x: Tensor) -> float:
    return float("-inf") if x.is_floating_point() else torch.iinfo(x.dtype).min


@row("AvgPool")
def avg_pool(
    x: Tensor,
    *,
    kernel: list[int],
    strides: list[int],
    pads_begin: list[int],
    pads_end: list[int],
    exclude_pad: bool,
    rounding_type: str = "floor",
    auto_pad: str = "explicit",
    dilations: list[int] | None = None,
) -> Tensor:
    """The mean of each window, in which pads count as zeros or not at all."""
    by = dilations or [1] * len(kernel)
    begin, end = _prepared(x, kernel, strides, by, (pads_begin, pads_end), rounding_type, auto_pad)
    if not any(begin) and not any(end) and max(by) == 1:
        return _MEAN[len(kernel)](x, kernel, strides)
    # As OpenVINO's CPU counts: without pads, what a last window lacks does not count; with pads, it counts as they do.
    padded = spatial_pad(x, begin, end)
    if not exclude_pad and (any(pads_begin) or any(pads_end)) and rounding_type != "ceil_torch":
        return _sums(padded, kernel, strides, by) / math.prod(kernel)
    ones = torch.ones((1, 1, *x.shape[2:]), dtype=x.dtype, device=x.device)
    if not exclude_pad:
        asked = [min(last, own) for last, own in zip(end, pads_end, strict=True)]
        ones = spatial_pad(ones, begin, asked, 1.0)
        begin, end = [0] * len(begin), [last - own for last, own in zip(end, asked, strict=True)]
    counted = spatial_pad(ones, begin, end)
    return _sums(padded, kernel, strides, by) / _sums(counted, kernel, strides, by)


def _sums(x: Tensor, kernel: list[int], strides: list[int], dilations: list[int]) -> Tensor:
    if max(dilations) == 1:
        return _MEAN[len(kernel)](x, kernel, strides) * math.prod(kernel)
    for i, (size, stride, dilation) in enumerate(zip(kernel, strides, dilations, strict=True)):
        x = x.unfold(2 + i, (size - 1) * dilation + 1, stride)[..., ::dilation].sum(-1)
    return x


@row("AdaptiveAvgPool")
def adaptive_avg_pool(x: Tensor, output_shape: Sizes) -> Tensor:
    """Means of windows that make a shape."""
    sizes = integers(output_shape)
    return _ADAPTIVE_MEAN[len(sizes)](x, sizes)


@row("AdaptiveMaxPool")
def adaptive_max_pool(x: Tensor, output_shape: Sizes, *, index_element_type: str = "i64") -> tuple[Tensor, Tensor]:
    """The greatest of windows that make a shape, and their places in the channel."""
    sizes = integers(output_shape)
    y, place = _ADAPTIVE_GREATEST[len(sizes)](x, sizes, return_indices=True)
    return y, place.to(TYPES[index_element_type])
