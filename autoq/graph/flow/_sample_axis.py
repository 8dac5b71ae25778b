"""Which tensors of a model hold samples along their first axis, each of them computed from its own sample alone.

Several samples can be run in one inference, and told apart again, where this is known of what is looked at. It is known
by the type of every operation on the way, and by the shapes of the model for two samples and for three: a first axis
that grows with their number, and nothing else. What is not known to keep samples apart is taken to mix them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum, auto

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.graph.operations import Samples, Tensor, operation


class _Content(Enum):
    """What a tensor holds."""

    SAMPLES = auto()  # along its first axis, each computed from its own sample
    COUNT = auto()  # something about how many samples there are, and nothing of them
    MIXTURE = auto()  # perhaps of samples


_Inputs = Mapping[int, _Content]


def samples_apart(two: ov.Model, three: ov.Model, names: Mapping[str, ov.Node]) -> frozenset[Tensor]:
    """Tensors that hold one slice for each sample along their first axis, computed from that sample alone.

    Args:
        two: A model that was given shapes of two samples, along the first axis of every input.
        three: The same model, given shapes of three.
        names: Operation of the latter by the name that it had before: OpenVINO merges and replaces some operations of a
            model that is given shapes.
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
    """Type of every operation and where its inputs come from, in topological order."""
    place: dict[str, int] = {}
    found = []
    for op in model.get_ordered_ops():
        place[op.get_name()] = len(place)
        sources = tuple((place[value.get_node().get_name()], value.get_index()) for value in op.input_values())
        found.append((op.get_type_name(), sources))
    return found


def _content(op: ov.Node, inputs: _Inputs) -> _Content | None:
    """What the outputs hold if their shapes are as they should be; None for what does not depend on samples."""
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
    """Samples meet samples, or what is the same for all of them."""
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
    """Squeezed along given axes: along all of length one, a single sample would lose its axis."""
    return 0 in inputs and op.get_input_size() == 2


def _along_given_axes(op: ov.Node, inputs: _Inputs) -> bool:
    axes = _constant(op, 1)
    return list(inputs) == [0] and axes is not None and 0 not in axes.reshape(-1) % _rank(op, 0)


def _along_an_axis(op: ov.Node, inputs: _Inputs) -> bool:
    axis = int(op.get_attributes()["axis"])
    return len(inputs) == op.get_input_size() and axis % _rank(op, 0) != 0


def _transpose(op: ov.Node, inputs: _Inputs) -> bool:
    order = _constant(op, 1)
    return list(inputs) == [0] and order is not None and order.size > 0 and order.reshape(-1)[0] == 0


def _gather(op: ov.Node, inputs: _Inputs) -> bool:
    """Rows of one table for the indices of each sample, or the same positions of every sample."""
    axis = _constant(op, 2)
    if axis is None or op.get_attributes().get("batch_dims", 0) != 0:
        return False
    along_first = int(axis.reshape(-1)[0]) % _rank(op, 0) == 0
    return (list(inputs) == [1] and along_first) or (list(inputs) == [0] and not along_first)


def _mat_mul(op: ov.Node, inputs: _Inputs) -> bool:
    """The first axis is one of matrices, or of the rows of one matrix."""
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
