"""A model in segments that run one after the other, each over all samples, so that one holds its weights at a time.

What a segment computes for later ones lies in files meanwhile, one for each sample and tensor.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.graph import Tensor, opened_at, unique_names

# A device holds weights in single precision.
_ITEM = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a model.

    Attributes:
        needs: Tensors that earlier segments compute, or inputs of the model; all of these in the first segment.
        saves: Tensors that later segments need.
        gives: Tensors that are wanted of it.
    """

    needs: tuple[Tensor, ...]
    saves: tuple[Tensor, ...]
    gives: tuple[Tensor, ...]


def segments(model: ov.Model, wanted: Iterable[Tensor], most_bytes: float) -> list[Segment]:
    """Splits a model that has no state.

    Args:
        model: The model; never modified.
        wanted: Tensors to compute.
        most_bytes: A segment ends where its weights exceed this, in single precision.

    Returns:
        At least one segment.
    """
    tensors = list(dict.fromkeys(wanted))
    clone = model.clone()
    nodes = unique_names(clone)
    name_of = {node.get_name(): name for name, node in nodes.items()}
    ends = [ops.result(nodes[tensor.producer].output(tensor.port)) for tensor in tensors]
    cut = ov.Model(ends, clone.get_sinks(), clone.get_parameters(), "cut")
    place: dict[str, int] = {}
    held: set[str] = set()
    needs: list[dict[Tensor, None]] = [{}]
    saves: list[dict[Tensor, None]] = [{}]
    size = 0
    for node in cut.get_ordered_ops():
        if node.get_type_name() == "Result":
            continue
        name = name_of[node.get_name()]
        sources = [(name_of[v.get_node().get_name()], v) for v in node.input_values()]
        if node.get_type_name() == "Parameter":
            place[name] = 0
            continue
        if not any(source in place for source, _ in sources):
            continue
        here = place[name] = len(needs) - 1
        for source, value in sources:
            if source not in place:
                size += 0 if source in held else _bytes(value)
                held.add(source)
            elif place[source] < here:
                tensor = Tensor(source, value.get_index())
                needs[here][tensor] = saves[place[source]][tensor] = None
        if size > most_bytes:
            needs.append({})
            saves.append({})
            size = 0
    gives: list[list[Tensor]] = [[] for _ in needs]
    for tensor in tensors:
        gives[place.get(tensor.producer, 0)].append(tensor)
    return [
        Segment(tuple(before), tuple(after), tuple(own))
        for before, after, own in zip(needs, saves, gives, strict=True)
        if before or after or own
    ]


def segment_model(model: ov.Model, segment: Segment) -> ov.Model:
    """The model of a segment: its inputs are what it needs, its outputs what it gives and then what it saves.

    Args:
        model: The model; never modified.
        segment: The segment; one that needs nothing has the inputs of the model, and its state.
    """
    clone = model.clone()
    nodes = unique_names(clone)
    parameters = clone.get_parameters()
    made = opened_at(nodes, segment.needs)
    results = [nodes[tensor.producer].output(tensor.port) for tensor in (*segment.gives, *segment.saves)]
    sinks = [] if made else clone.get_sinks()
    return ov.Model([ops.result(output) for output in results], sinks, made or parameters, "segment")


class Between:
    """What segments leave for later ones.

    Args:
        folder: An empty folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[Tensor, int] = {}

    def keep(self, tensor: Tensor, number: int, content: NDArray[Any]) -> None:
        """Keeps a tensor of a sample."""
        place = self._places.setdefault(tensor, len(self._places))
        np.save(self._folder / f"{place}_{number}.npy", content)

    def feeds(self, tensors: Sequence[Tensor], count: int) -> Iterator[list[NDArray[Any]]]:
        """Tensors that were kept, sample by sample."""
        return ([self.take(tensor, number) for tensor in tensors] for number in range(count))

    def take(self, tensor: Tensor, number: int) -> NDArray[Any]:
        """A tensor that was kept."""
        return np.asarray(np.load(self._folder / f"{self._places[tensor]}_{number}.npy", allow_pickle=False))


def _bytes(value: ov.Output) -> int:
    shape = value.get_partial_shape()
    return 0 if shape.is_dynamic else math.prod(value.get_shape()) * _ITEM
