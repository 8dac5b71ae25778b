"""Normalization over axes, groups, and neighbours."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from autoq.training.twin.rows._row import LearnedWeight, Sizes, integers, row


@row("MVN")
def mvn(x: Tensor, axes: Sizes, *, eps: float, normalize_variance: bool, eps_mode: str = "INSIDE_SQRT") -> Tensor:
    """Mean 0 and variance 1 over axes."""
    along = integers(axes)
    if normalize_variance and eps_mode.lower() == "inside_sqrt" and [axis % x.dim() for axis in along] == [x.dim() - 1]:
        return functional.layer_norm(x, x.shape[-1:], eps=eps)
    centred = x - x.mean(along, keepdim=True)
    if not normalize_variance:
        return centred
    variance = centred.square().mean(along, keepdim=True)
    if eps_mode.lower() == "inside_sqrt":
        return centred / torch.sqrt(variance + eps)
    return centred / (torch.sqrt(variance) + eps)


@row("MVN@opset2")
def mvn_of_maps(x: Tensor, *, eps: float, normalize_variance: bool, reduction_axes: list[int]) -> Tensor:
    """The version whose axes are an attribute."""
    return mvn(x, list(reduction_axes), eps=eps, normalize_variance=normalize_variance)


@row("BatchNormInference")
def batch_norm(
    x: Tensor, gamma: LearnedWeight, beta: LearnedWeight, mean: Tensor, variance: Tensor, *, epsilon: float
) -> Tensor:
    """Normalization by statistics that were measured before: they do not learn."""
    return functional.batch_norm(x, mean, variance, gamma, beta, training=False, eps=epsilon)


@row("GroupNormalization")
def group_norm(x: Tensor, scale: LearnedWeight, bias: LearnedWeight, *, num_groups: int, epsilon: float) -> Tensor:
    """Mean 0 and variance 1 over the channels of a group, then a scale and a bias for each channel."""
    return functional.group_norm(x, num_groups, scale, bias, epsilon)


@row("NormalizeL2")
def normalize_l2(x: Tensor, axes: Sizes, *, eps: float, eps_mode: str) -> Tensor:
    """Length 1 over axes; without axes, each number by itself."""
    along = integers(axes)
    square = x.square().sum(along, keepdim=True) if along else x.square()
    return x / torch.sqrt(square + eps if eps_mode.lower() == "add" else torch.clamp(square, min=eps))


@row("LRN")
def local_response(x: Tensor, axes: Sizes, *, alpha: float, beta: float, bias: float, size: int) -> Tensor:
    """Each number over a power of the squares around it, along each of the axes."""
    square = x.square()
    along = [axis % x.dim() for axis in integers(axes)]
    for axis in along:
        moved = square.movedim(axis, -1)
        padded = functional.pad(moved, ((size - 1) // 2, size // 2))
        square = padded.unfold(-1, size, 1).sum(-1).movedim(-1, axis)
    return x / torch.pow(bias + alpha / size ** len(along) * square, beta)


@row("GRN")
def global_response(x: Tensor, *, bias: float) -> Tensor:
    """Length 1 over the channels."""
    return x / torch.sqrt(x.square().sum(1, keepdim=True) + bias)
