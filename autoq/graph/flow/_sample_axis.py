"""Tensors of a model whose first axis counts samples, where each slice is computed from its own sample alone.

Several samples can be run in one inference, and separated again, if this is known of the observed tensors. It follows
from the type of each operation on the way, and from the shapes of the model for two and for three samples: only a first
axis may grow with their number. An operation that is not known to keep samples apart is assumed to mix them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.graph.operations import Family, Samples, Tensor, operation


class _Content(Enum):
    """The content of a tensor, with regard to samples."""

    SAMPLES = auto()  # one slice for each sample along its first axis, computed from that sample alone
    COUNT = auto()  # depends on the number of samples only
    MIXTURE = auto()  # may depend on several samples


_Inputs = Mapping[int, _Content]


def samples_apart(two: ov.Model, three: ov.Model, names: Mapping[str, ov.Node]) -> frozenset[Tensor]:
    """Tensors that hold one slice for each sample along their first axis, computed from that sample alone.

    Args:
        two: The model with shapes of two samples, along the first axis of each input.
        three: The same model with shapes of three samples.
        names: Operation of the latter by its earlier name: OpenVINO merges and replaces some operations of a model that
            gets shapes.
    """
    if _structure(two) != _structure(three):
        return frozenset()
    pairs = zip(two.get_ordered_ops(), three.get_ordered_ops(), strict=True)
    content: dict[tuple[str, int], _Content] = {}
    for fewer, op in pairs:
        inputs = {
            port: content[key]
            for port, value in enumerate(op.input_values())
            if (key := (value.get_node().get_name(), value.get_index())) in content
        }
        found = _content(op, inputs)
        if found is None:
            continue
        splits = operation(op.get_type_name()).samples is Samples.SPLIT
        for port in range(op.get_output_size()):
            told = (port == 0 or splits) and _has_grown(fewer.output(port), op.output(port))
            content[op.get_name(), port] = _Content.MIXTURE if found is _Content.SAMPLES and not told else found
    return frozenset(
        Tensor(name, port)
        for name, op in names.items()
        for port in range(op.get_output_size())
        if content.get((op.get_name(), port)) is _Content.SAMPLES
    )


def _structure(model: ov.Model) -> list[tuple[str, tuple[tuple[int, int], ...]]]:
    """Type of each operation and the sources of its inputs, in topological order."""
    place: dict[str, int] = {}
    found = []
    for op in model.get_ordered_ops():
        place[op.get_name()] = len(place)
        sources = tuple((place[value.get_node().get_name()], value.get_index()) for value in op.input_values())
        found.append((op.get_type_name(), sources))
    return found


def _content(op: ov.Node, inputs: _Inputs) -> _Content | None:
    """Content of the outputs, if their shapes agree; None for outputs that do not depend on samples."""
    kind = op.get_type_name()
    if kind == "Parameter":
        return _Content.SAMPLES
    if not inputs:
        return _Content.MIXTURE if kind == "ReadValue" else None
    if kind == "ShapeOf":
        return _Content.COUNT
    kinds = set(inputs.values())
    if kinds == {_Content.COUNT}:
        return _Content.COUNT
    shape_given = kind == "Reshape" and inputs.get(1) is _Content.COUNT
    samples_only = not kinds - {_Content.SAMPLES} or (shape_given and inputs[0] is _Content.SAMPLES)
    ranks_known = all(value.get_partial_shape().rank.is_static for value in op.input_values())
    samples = operation(kind).samples
    known = samples_only and ranks_known and samples is not None and _RULES[samples](op, inputs)
    return _Content.SAMPLES if known else _Content.MIXTURE


def _has_grown(two: ov.Output, three: ov.Output) -> bool:
    shapes = two.get_partial_shape(), three.get_partial_shape()
    if any(shape.is_dynamic or not len(shape) for shape in shapes):
        return False
    (fewer, *rest), (more, *same) = (list(shape.to_shape()) for shape in shapes)
    return bool((fewer, more) == (2, 3) and rest == same)


def _rank(op: ov.Node, port: int) -> int:
    return len(op.input(port).get_partial_shape())


def _each(op: ov.Node, inputs: _Inputs) -> bool:
    """Whether samples meet only samples, or values that are the same for all samples."""
    if op.get_attributes().get("auto_broadcast", "numpy") not in {"numpy", "none"}:
        return False
    rank = len(op.output(0).get_partial_shape())
    return all(
        _rank(op, port) == rank if port in inputs else _rank(op, port) < rank or _is_shared(op, port)
        for port in range(op.get_input_size())
    )


def _is_shared(op: ov.Node, port: int) -> bool:
    """Whether an input has one slice for all samples."""
    first = op.input(port).get_partial_shape()[0]
    return bool(first.is_static and first.get_length() == 1)


def _first_input_alone(_: ov.Node, inputs: _Inputs) -> bool:
    return list(inputs) == [0]


def _reshape(op: ov.Node, inputs: _Inputs) -> bool:
    """For a Squeeze along given axes. Along all axes of length one, a single sample would lose its axis."""
    return 0 in inputs and op.get_input_size() == 2


def _along_given_axes(op: ov.Node, inputs: _Inputs) -> bool:
    axes = _constant(op, 1)
    known = list(inputs) == [0] and axes is not None and 0 not in axes.reshape(-1) % _rank(op, 0)
    return known and not _is_joined(op)


def _is_joined(op: ov.Node) -> bool:
    """Whether OpenVINO's CPU may compute arithmetic with the reduction before it, of the first sample alone.

    Of a reduction to two axes, it takes the second one for the channels, also where they lay along another axis before:
    of the rows behind the first one, some come out wrong or as zeros.
    """
    if op.get_attributes().get("keep_dims", True) or len(op.output(0).get_partial_shape()) != 2:
        return False
    readers = (target.get_node().get_type_name() for target in op.output(0).get_target_inputs())
    return any(operation(reader).family is Family.ARITHMETIC for reader in readers)


def _along_an_axis(op: ov.Node, inputs: _Inputs) -> bool:
    axis = int(op.get_attributes()["axis"])
    return len(inputs) == op.get_input_size() and axis % _rank(op, 0) != 0


def _transpose(op: ov.Node, inputs: _Inputs) -> bool:
    order = _constant(op, 1)
    return list(inputs) == [0] and order is not None and order.size > 0 and order.reshape(-1)[0] == 0


def _gather(op: ov.Node, inputs: _Inputs) -> bool:
    """For a Gather: rows of one table for the indices of each sample, or the same positions of every sample."""
    axis = _constant(op, 2)
    if axis is None or op.get_attributes().get("batch_dims", 0) != 0:
        return False
    along_first = int(axis.reshape(-1)[0]) % _rank(op, 0) == 0
    return (list(inputs) == [1] and along_first) or (list(inputs) == [0] and not along_first)


def _mat_mul(op: ov.Node, inputs: _Inputs) -> bool:
    """For a MatMul: the first axis counts matrices, or the rows of one matrix."""
    ranks = (_rank(op, 0), _rank(op, 1))
    if len(inputs) == 2:
        return ranks[0] == ranks[1] > 2
    (port,) = inputs
    if max(ranks) == 2:
        return ranks == (2, 2) and port == 0 and not op.get_attributes()["transpose_a"]
    other = 1 - port
    return ranks[port] > 2 and (ranks[other] < ranks[port] or (ranks[other] == ranks[port] and _is_shared(op, other)))


def _constant(op: ov.Node, port: int) -> NDArray[np.int64] | None:
    if port >= op.get_input_size():
        return None
    node = op.input_value(port).get_node()
    return np.asarray(node.data, np.int64) if node.get_type_name() == "Constant" else None


_RULES: Mapping[Samples, Callable[[ov.Node, _Inputs], bool]] = {
    Samples.EACH: _each,
    Samples.IMAGES: _first_input_alone,
    Samples.ORDER: _reshape,
    Samples.GIVEN_AXES: _along_given_axes,
    Samples.SPLIT: _along_given_axes,
    Samples.OWN_AXIS: _along_an_axis,
    Samples.LOOKUP: _gather,
    Samples.PRODUCT: _mat_mul,
    Samples.TRANSPOSE: _transpose,
}
