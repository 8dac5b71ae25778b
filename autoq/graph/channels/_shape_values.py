"""Integers that spell shapes: constants, and shapes that the model computes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.graph.channels._reshaped import blocks
from autoq.graph.operations import Samples, operation


def constant_integers(op: ov.Node, port: int) -> NDArray[np.int64] | None:
    """The numbers of an input that is a Constant; None for other inputs."""
    node = op.input_value(port).get_node()
    return np.asarray(node.data).astype(np.int64) if node.get_type_name() == "Constant" else None


def spells_shape(op: ov.Node) -> bool:
    """Whether an operation keeps the order of values in memory, and is told the shape that they get: a Reshape."""
    row = operation(op.get_type_name())
    return row.samples is Samples.ORDER and bool(row.shape_ports)


def spelled_shape(op: ov.Node, before: Sequence[int], after: Sequence[int]) -> list[int] | None:
    """The shape that a Reshape asks for: 0 repeats the length of the axis before, -1 is what is left.

    Args:
        op: A Reshape of the model.
        before: A shape that its input may have.
        after: The shape of its output then.

    Returns:
        The lengths; None if the shape is computed, and no such lengths stand for it.
    """
    given = constant_integers(op, 1)
    if given is not None:
        return [int(length) for length in given.ravel()]
    same = {new[0] for old, new in blocks(before, after) if len(old) == len(new) == 1 and old == new}
    lengths = [length.get_length() if length.is_static else None for length in op.get_output_partial_shape(0)]
    found = [length if length is not None else (0 if axis in same else -1) for axis, length in enumerate(lengths)]
    return found if found.count(-1) <= 1 else None


def lengths_read(shape_of: ov.Node, rank: int) -> set[int]:
    """Axes whose lengths the readers of a ShapeOf may read."""
    found: set[int] = set()
    for target in shape_of.output(0).get_target_inputs():
        reader = target.get_node()
        is_lookup = operation(reader.get_type_name()).samples is Samples.LOOKUP and target.get_index() == 0
        places = constant_integers(reader, 1) if is_lookup else None
        found |= set(range(rank)) if places is None else {int(place) % rank for place in places.ravel()}
    return found


def cut_ranges(op: ov.Node, shape: Sequence[int]) -> list[tuple[int, int, int]]:
    """Axis, start and stop of each axis that a Slice in steps of one cuts; its other inputs are Constants.

    Args:
        op: The Slice.
        shape: Shape of its input.
    """
    starts, stops = constant_integers(op, 1), constant_integers(op, 2)
    if starts is None or stops is None:
        return []
    axes = constant_integers(op, 4) if op.get_input_size() > 4 else np.arange(len(starts))
    found = []
    for axis, start, stop in zip(axes.ravel() if axes is not None else (), starts.ravel(), stops.ravel(), strict=True):
        place = int(axis) % len(shape)
        first, last, _ = slice(int(start), int(stop)).indices(shape[place])
        found.append((place, first, last))
    return found
