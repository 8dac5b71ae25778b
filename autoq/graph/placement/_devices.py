"""Differences of target devices in the places of quantizers.

ANY, CPU, GPU and NPU share one table. Sapphire Rapids (CPU_SPR) multiplies in int8, but adds in the types of the
producers, so that a sum needs only one of its two quantizers. It fuses less, and keeps fewer types in float.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from autoq.core import ModelType, TargetDevice
from autoq.graph.flow import Flow, Pattern
from autoq.graph.operations import operation
from autoq.graph.placement._placement import Placed


def stays_in_float(kind: str, model_type: ModelType | None, device: TargetDevice) -> bool:
    """Whether operations of a type stay in float in a family of models on a device."""
    if model_type is not ModelType.TRANSFORMER or (kind == "Multiply" and device is TargetDevice.CPU_SPR):
        return False
    return operation(kind).float_in_transformer


def on_device(patterns: Iterable[Pattern], device: TargetDevice) -> list[Pattern]:
    """The patterns that hold for a device."""
    return [pattern for pattern in patterns if pattern.spr or device is not TargetDevice.CPU_SPR]


def without_needless(flow: Flow, placed: Iterable[Placed], device: TargetDevice) -> list[Placed]:
    """Drops one of the two quantizers that feed an Add, on devices that need only one.

    1. If one producer branches and the other has only the Add as its reader, the quantizer of the latter.
    2. If both follow a convolution or matrix product on a path without branches, the quantizer of the larger tensor; at
       equal sizes, that of the second input.
    3. Otherwise none.

    Args:
        flow: The model.
        placed: Quantizers of activations.
        device: Target device.
    """
    kept = list(placed)
    if device is not TargetDevice.CPU_SPR:
        return kept
    standing = {p.edges[0].source: p for p in kept if p.at_output}
    for name in flow.names:
        sources = [edge.source for edge in reversed(flow.in_edges[name])]
        if flow.type[name] != "Add" or len(sources) != 2 or not all(source in standing for source in sources):
            continue
        first, second = sorted(sources, key=lambda source: -len(flow.readers[source]))
        if len(flow.readers[first]) > 1 and len(flow.readers[second]) == 1:
            dropped = standing.pop(second)
        elif _follows_producer(flow, first) and _follows_producer(flow, second):
            dropped = standing.pop(first if _size(flow, first) >= _size(flow, second) else second)
        else:
            continue
        kept.remove(dropped)
    return kept


def _follows_producer(flow: Flow, name: str) -> bool:
    while True:
        above = flow.producers[name]
        if len(above) != 1:
            return False
        (name,) = above
        if operation(flow.type[name]).sums_products:
            return True


def _size(flow: Flow, name: str) -> int:
    """Number of elements of an output; an unknown length counts as one."""
    shape = flow.nodes[name].output(0).get_partial_shape()
    if shape.rank.is_dynamic:
        return 1
    return math.prod(1 if dimension.is_dynamic else dimension.get_length() for dimension in shape)
