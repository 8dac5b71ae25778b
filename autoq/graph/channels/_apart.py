"""Axes of a tensor whose places are taken apart, each for a tensor of its own: queries, keys and values."""

from __future__ import annotations

import openvino as ov

from autoq.graph.channels._shape_values import constant_integers
from autoq.graph.operations import Samples, operation


def taken_apart(value: ov.Output) -> set[int]:
    """Axes along which readers split a value into parts of one, or look single places up; Transposes are passed.

    Args:
        value: An output with a known shape.
    """
    found: set[int] = set()
    rank = len(value.get_shape())
    for target in value.get_target_inputs():
        reader = target.get_node()
        samples = operation(reader.get_type_name()).samples
        if target.get_index() != 0:
            continue
        if samples is Samples.TRANSPOSE and (order := constant_integers(reader, 1)) is not None:
            axes = order.ravel().tolist() or list(range(rank))[::-1]
            found |= {axes[axis] for axis in taken_apart(reader.output(0))}
        elif samples is Samples.SPLIT and (along := constant_integers(reader, 1)) is not None:
            axis = int(along.ravel()[0]) % rank
            if reader.output(0).get_shape()[axis] == 1:
                found.add(axis)
        elif samples is Samples.LOOKUP and (along := constant_integers(reader, 2)) is not None:
            places = constant_integers(reader, 1)
            if places is not None and places.size == 1:
                found.add(int(along.ravel()[0]) % rank)
    return found
