"""What values are computed from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import openvino as ov

from autoq.transform.stateful._seen import Key, key_of


def above(value: ov.Output, *, shapes: bool = False) -> Iterator[ov.Output]:
    """All values that a value is computed from, itself included.

    Args:
        value: The value.
        shapes: Also what is read only for its shape.
    """
    seen: set[Key] = set()
    left = [value]
    while left:
        current = left.pop()
        if key_of(current) in seen:
            continue
        seen.add(key_of(current))
        yield current
        if shapes or current.get_node().get_type_name() != "ShapeOf":
            left += current.get_node().input_values()


def inputs_above(values: Sequence[ov.Output]) -> list[ov.op.Parameter]:
    """The inputs that values are computed from, those that are read only for their shape included."""
    found = {part.get_node().get_name(): part.get_node() for value in values for part in above(value, shapes=True)}
    return [node for node in found.values() if node.get_type_name() == "Parameter"]
