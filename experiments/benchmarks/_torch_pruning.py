"""The peer of pruning: Torch-Pruning's importance of channels.

It groups layers by tracing a PyTorch module, which the models here are not. So the layers of each group that
autoq found become a module of their own, with their weights: those that make its channels, and those that read them.
Torch-Pruning groups these itself, and its importance class, `GroupMagnitudeImportance` with its defaults, tells which
channels go. Only weights count in it, so that what stands between the layers does not matter.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino as ov
import torch
import torch_pruning as tp
from numpy.typing import NDArray

from autoq.graph import ChannelGraph, ChannelGroup, ChannelLayer, stored_constant, unique_names
from autoq.transform import ChannelScores


def importances(model: ov.Model, graph: ChannelGraph) -> ChannelScores:
    """Importance of the channels of each group, in their order.

    Args:
        model: The model; never modified.
        graph: Its channels, each of which is one channel of each layer that makes it.
    """
    nodes = unique_names(model)
    return {group.name: _of_group(nodes, graph, group) for group in graph.groups}


def _of_group(nodes: Mapping[str, ov.Node], graph: ChannelGraph, group: ChannelGroup) -> NDArray[np.float64]:
    made, read = [graph.layer[op] for op in group.producers], [graph.layer[op] for op in group.consumers]
    mixing = [_layer(nodes, layer) for layer in made if layer.mixes]
    grouped = [_layer(nodes, layer) for layer in made if not layer.mixes]
    readers = [_layer(nodes, layer) for layer in read if layer.mixes]
    module = _Group(mixing, grouped, readers)
    inputs = [torch.zeros(1, layer.in_channels, 1, 1) for layer in mixing]
    traced = tp.DependencyGraph().build_dependency(module, (inputs,))
    found = traced.get_pruning_group(mixing[0], tp.prune_conv_out_channels, list(range(len(group.channels))))
    return np.asarray(tp.importance.GroupMagnitudeImportance()(found).detach(), np.float64)


class _Group(torch.nn.Module):
    """The layers of a group: sums of those that make its channels, through grouped ones, to those that read them."""

    def __init__(self, mixing: list[Any], grouped: list[Any], readers: list[Any]) -> None:
        super().__init__()
        self.mixing, self.grouped, self.readers = map(torch.nn.ModuleList, (mixing, grouped, readers))

    def forward(self, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        parts = [layer(value) for layer, value in zip(self.mixing, inputs, strict=True)]
        x = functools.reduce(torch.add, parts)
        for layer in self.grouped:
            x = layer(x)
        return [layer(x) for layer in self.readers]


def _layer(nodes: Mapping[str, ov.Node], layer: ChannelLayer) -> torch.nn.Conv2d:
    """A layer as PyTorch's convolution."""
    constant = stored_constant(nodes[layer.op].input_value(layer.weight_port))
    if constant is None:
        msg = f"{layer.op!r} has no constant weight."
        raise ValueError(msg)
    weight = np.asarray(constant.data, np.float32)
    groups = 1
    if layer.type == "GroupConvolution":
        groups = weight.shape[0]
        weight = weight.reshape(-1, *weight.shape[2:])
    elif layer.type == "MatMul":
        weight = np.moveaxis(weight, layer.weight_axis, -1)[:, :, None, None]
    kernel = weight.shape[2:]
    made = torch.nn.Conv2d(
        weight.shape[1] * groups,
        weight.shape[0],
        kernel,
        padding=tuple(length // 2 for length in kernel),
        groups=groups,
        bias=False,
    )
    with torch.no_grad():
        made.weight.copy_(torch.tensor(weight))
    return made
