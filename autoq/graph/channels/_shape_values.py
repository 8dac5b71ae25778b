"""Integers that spell shapes: constants, and shapes that the model computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.graph.channels._reshaped import blocks
from autoq.graph.operations import Channels, Samples, operation


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
    """Axes whose lengths are read of a ShapeOf: what lookups and cuts leave out is not."""
    return _read_of(shape_of.output(0), np.arange(rank))


def _read_of(value: ov.Output, axes: NDArray[np.int64]) -> set[int]:
    """Axes whose lengths are read of a vector of lengths."""
    found: set[int] = set()
    for target in value.get_target_inputs():
        reader = target.get_node()
        row = operation(reader.get_type_name())
        left = None
        if target.get_index() == 0 and row.samples is Samples.LOOKUP:
            left = constant_integers(reader, 1)
        elif target.get_index() == 0 and row.channels is Channels.CUT:
            cut = cut_of(reader, [len(axes)])
            left = None if cut is None else np.arange(cut.starts[0], cut.stops[0])
        found |= set(axes.tolist()) if left is None else _read_of(reader.output(0), axes[left.ravel()])
    return found


@dataclass(frozen=True, slots=True)
class Cut:
    """What a Slice or a StridedSlice in steps of one leaves of a tensor.

    Attributes:
        starts: By axis of its input, the first place that is left.
        stops: By axis of its input, the first place behind.
        axes: By axis of its output, the axis of its input; None for a new one.
        told: By place in the Constants that tell starts and stops, the axis of its input; None for another meaning.
    """

    starts: tuple[int, ...]
    stops: tuple[int, ...]
    axes: tuple[int | None, ...]
    told: tuple[int | None, ...]


def cut_of(op: ov.Node, shape: Sequence[int]) -> Cut | None:
    """What a Slice or a StridedSlice leaves.

    Args:
        op: The operation.
        shape: Shape of its input.

    Returns:
        The cut; None if something of it is computed, or it takes other steps than one.
    """
    given = [constant_integers(op, port) for port in range(1, op.get_input_size())]
    known = [values.ravel().tolist() for values in given if values is not None]
    if len(known) < len(given) or (len(known) > 2 and any(step != 1 for step in known[2])):
        return None
    rank, firsts, lasts = len(shape), known[0], known[1]
    starts, stops = [0] * rank, list(shape)
    if op.get_type_name() == "Slice":
        told = [axis % rank for axis in (known[3] if len(known) > 3 else range(len(firsts)))]
        for axis, first, last in zip(told, firsts, lasts, strict=True):
            starts[axis], stops[axis], _ = slice(first, last).indices(shape[axis])
        return Cut(tuple(starts), tuple(stops), tuple(range(rank)), tuple(told))
    masks = op.get_attributes()
    whole, new, single, from_start, to_stop = (
        [bool(mask) for mask in [*masks[f"{name}_mask"], *[0] * len(firsts)][: len(firsts)]]
        for name in ("ellipsis", "new_axis", "shrink_axis", "begin", "end")
    )
    axis, axes, meant = 0, list[int | None](), list[int | None]()
    for place, (first, last) in enumerate(zip(firsts, lasts, strict=True)):
        passed = rank - axis - sum(not one for one in new[place + 1 :]) if whole[place] else 0
        axes += range(axis, axis + passed)
        axis += passed
        meant.append(None if whole[place] or new[place] else axis)
        if whole[place] or new[place]:
            axes += [None] * (not whole[place])
            continue
        if single[place]:
            starts[axis] = first % shape[axis]
            stops[axis] = starts[axis] + 1
        else:
            ends = slice(None if from_start[place] else first, None if to_stop[place] else last)
            starts[axis], stops[axis], _ = ends.indices(shape[axis])
            axes.append(axis)
        axis += 1
    return Cut(tuple(starts), tuple(stops), (*axes, *range(axis, rank)), tuple(meant))
