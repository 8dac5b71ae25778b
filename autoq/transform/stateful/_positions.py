"""Values by position, such as the angles of rotary embeddings, follow `position_ids` instead of the place in a row.

Such a value depends on no token, only on how many there are; its row p along the axis of tokens belongs to position p.
It is computed again from a copy of the operations above it, in one of two ways.

1. Where the number of tokens enters only as a Range of positions: for the positions of this inference.
2. Otherwise: for all positions up to the largest one of this inference, of whose rows those of the positions are taken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from autoq.core import ModelError
from autoq.transform.stateful._above import above, inputs_above
from autoq.transform.stateful._seen import SEQUENCES, Key, Seen, key_of


@dataclass(frozen=True, slots=True)
class ByPosition:
    """A value by position, and the operations on tokens that read it.

    Attributes:
        value: The value.
        readers: Its readers.
    """

    value: ov.Output
    readers: tuple[ov.Input, ...]


def fixed_values(model: ov.Model, varying: Collection[str]) -> list[ByPosition]:
    """Float values that depend on the number of tokens and not on tokens, and are read together with tokens.

    Args:
        model: The model.
        varying: OpenVINO's names of the operations that depend on tokens.
    """
    # Of an input's shape, or of the mask.
    counting = _counting(model, varying)
    readers: dict[Key, list[ov.Input]] = {}
    values: dict[Key, ov.Output] = {}
    for op in model.get_ordered_ops():
        if op.get_name() not in varying:
            continue
        for port in op.inputs():
            value = port.get_source_output()
            if value.get_node().get_name() in counting and value.get_element_type().is_real():
                values[key_of(value)] = value
                readers.setdefault(key_of(value), []).append(port)
    return [ByPosition(value, tuple(readers[key])) for key, value in values.items()]


def watched(found: ByPosition) -> Iterator[ov.Output]:
    """The values of a model that tell how a value depends on positions."""
    yield found.value
    yield from _marks(found.value)


def _marks(value: ov.Output) -> list[ov.Output]:
    """The values above a value by which the number of tokens enters."""
    return [part for part in above(value) if part.get_node().get_type_name() in {"ShapeOf", "Range", "Parameter"}]


def follow_positions(found: ByPosition, seen: Seen, position_ids: ov.Output) -> None:
    """Lets the readers of a value read it for the positions of this inference.

    Args:
        found: The value; its readers are changed.
        seen: Values of the model: of this value and all above it.
        position_ids: Position of each token, [n, t].

    Raises:
        ModelError: It is read in a way that does not tell where sequences lie.
    """
    array = seen.of(found.value)
    if seen.length not in array.shape:
        return
    axis = array.shape.index(seen.length)
    rest = array.shape[axis + 1 :]
    name = found.value.get_node().get_friendly_name()
    if any(length not in {1, SEQUENCES} for length in array.shape[:axis]) or seen.length in rest:
        msg = f"{name!r} depends on the number of tokens, but has no row for each of them: it cannot follow positions."
        raise ModelError(msg)
    rows = _copied(found.value, seen, position_ids, by_place=False)
    direct = rows is not None
    if rows is None:
        rows = _copied(found.value, seen, position_ids, by_place=True)
    if rows is None:
        msg = f"{name!r} is computed from tokens in a way that is not understood: it cannot follow positions."
        raise ModelError(msg)
    flat = ops.reshape(rows, ops.constant(np.array([-1, *rest], np.int64)), special_zero=False)
    if direct:
        shape = ops.concat([ops.shape_of(position_ids), ops.constant(np.array(rest, np.int64))], 0)
        placed = ops.reshape(flat, shape, special_zero=False)
    else:
        placed = ops.gather(flat, position_ids, ops.constant(np.int64(0)))
    for port in found.readers:
        rank = max(len(value.get_partial_shape()) for value in port.get_node().input_values())
        between = rank - 2 - len(rest)
        if between < 0:
            msg = f"{name!r} is read by {port.get_node().get_friendly_name()!r}, which has no axis of sequences."
            raise ModelError(msg)
        axes = ops.constant(np.arange(1, 1 + between, dtype=np.int64))
        port.replace_source_output((ops.unsqueeze(placed, axes) if between else placed).output(0))


def _counting(model: ov.Model, varying: Collection[str]) -> frozenset[str]:
    """OpenVINO's names of operations that depend on shapes, or on the mask, but not on tokens."""
    found: set[str] = set()
    for op in model.get_ordered_ops():
        if op.get_name() in varying:
            continue
        kind = op.get_type_name()
        if kind in {"Parameter", "ShapeOf"} or any(v.get_node().get_name() in found for v in op.input_values()):
            found.add(op.get_name())
    return frozenset(found)


def _copied(value: ov.Output, seen: Seen, position_ids: ov.Output, *, by_place: bool) -> ov.Output | None:
    """A copy of a value for one sequence of other positions.

    Args:
        value: The value.
        seen: Values of the model.
        position_ids: Position of each token, [n, t].
        by_place: Compute it for all positions up to the largest one; otherwise for the positions themselves.

    Returns:
        The copy; None where it still depends on the tokens.
    """
    # Others read the same shapes and Ranges, so they are replaced in a copy.
    given, parameters = _marks(value), inputs_above([value])
    copy = ov.Model([ops.result(part) for part in (value, *given)], parameters, "rows").clone()
    target, *results = copy.get_results()
    flat = ops.reshape(position_ids, ops.constant(np.array([-1], np.int64)), special_zero=False)
    count = ops.add(ops.reduce_max(flat, ops.constant(np.int64(0)), keep_dims=True), ops.constant(np.int64(1)))
    for part, result in zip(given, results, strict=True):
        kind, element = part.get_node().get_type_name(), part.get_element_type().get_type_name()
        new: ov.Node | None = None
        if kind == "ShapeOf":
            new = _shape(part, seen, count if by_place else None)
        elif kind == "Parameter" and by_place:
            ones = ops.constant(np.ones((), part.get_element_type().to_dtype()))
            new = ops.broadcast(ones, ops.concat([ops.constant(np.array([1], np.int64)), count], 0))
        elif kind == "Range" and not by_place and np.array_equal(seen.of(part), np.arange(seen.length)):
            new = ops.convert(flat, element)
        if new is not None:
            for port in result.input_value(0).get_target_inputs():
                port.replace_source_output(new.output(0))
    found = target.input_value(0)
    own = {parameter.get_name() for parameter in copy.get_parameters()}
    nodes = [part.get_node() for part in above(found)]
    return None if any(node.get_type_name() == "ShapeOf" or node.get_name() in own for node in nodes) else found


def _shape(part: ov.Output, seen: Seen, count: ov.Node | None) -> ov.Node | None:
    """A shape for one sequence of so many tokens; None where a length of it cannot be said."""
    known = part.get_node().get_input_partial_shape(0)
    lengths: list[ov.Node] = []
    for axis, length in zip(known, seen.of(part).tolist(), strict=True):
        if axis.is_dynamic and length == seen.length and count is not None:
            lengths.append(count)
        elif axis.is_static or length == SEQUENCES:
            lengths.append(ops.constant(np.array([length if axis.is_static else 1], np.int64)))
        else:
            return None
    return ops.convert(ops.concat(lengths, 0), part.get_element_type().get_type_name())
