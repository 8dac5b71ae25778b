"""How channel numbers pass through one operation: a rule for each way that the table of operations knows.

A rule joins numbers of inputs that meet, fixes those whose removal would change what is computed from others, and gives
the numbers of the outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from autoq.graph.channels._apart import taken_apart
from autoq.graph.channels._numbers import AxisLabels, Labels
from autoq.graph.channels._passage import Passage
from autoq.graph.channels._reshaped import reshaped
from autoq.graph.channels._shape_values import constant_integers, cut_of, lengths_read, spelled_shape, spells_shape
from autoq.graph.operations import Channels, Family, Samples, operation


def carried(at: Passage) -> list[Labels]:
    """Numbers of the outputs of an operation."""
    row = operation(at.op.get_type_name())
    ends = [*at.op.input_values(), *at.op.outputs()]
    if any(end.get_partial_shape().is_dynamic or 0 in end.get_shape() for end in ends):
        return at.unknown()
    if at.op.get_type_name() == "ShapeOf":
        return _shape_of(at)
    if row.family is Family.CONVOLUTION:
        return _convolution(at)
    if row.channels is not None:
        return _BY_CHANNELS[row.channels](at)
    if row.samples in _BY_SAMPLES:
        return _BY_SAMPLES[row.samples](at)
    return at.unknown()


# --- each channel of its own -----------------------------------------------------------------------------------------


def _each(at: Passage) -> list[Labels]:
    if at.op.get_attributes().get("auto_broadcast", "numpy") not in {"numpy", "none"}:
        return at.unknown()
    return [_broadcast(at, at.shape_after())]


def _broadcast(at: Passage, after: Sequence[int], behind: int = 0) -> Labels:
    """Joins axes of all inputs that are broadcast to each other.

    Args:
        at: The operation.
        after: Shape of the output.
        behind: Number of the last axes that are left out.
    """
    found: list[AxisLabels | None] = []
    for axis in range(-len(after), -behind):
        meeting = [
            labels[axis]
            for port, labels in enumerate(at.given)
            if len(labels) >= -axis and at.shape(port)[axis] == after[axis] > 1
        ]
        found.append(at.join(meeting))
    return tuple(found)


def _parameters(at: Passage) -> list[Labels]:
    """Case 1: parameters of one axis stand for the second axis. Case 2: others are broadcast."""
    data = at.given[0]
    if len(data) < 2 or any(len(labels) != 1 for labels in at.given[1:]):
        return _each(at)
    own = at.join([data[1], *(labels[0] for port, labels in enumerate(at.given) if port and at.shape(port) > [1])])
    return [(data[0], own, *data[2:])]


def _windows(at: Passage) -> list[Labels]:
    if any(output.get_target_inputs() for output in at.op.outputs()[1:]):
        return at.unknown("counts positions through all channels")
    for own in at.given[0][2:]:
        at.fix(own, "moves windows along it")
    kept = (*at.given[0][:2], *[None] * (len(at.given[0]) - 2))
    return [kept, *[(None,) * len(output.get_shape()) for output in at.op.outputs()[1:]]]


def _resized(at: Passage) -> list[Labels]:
    last = at.op.get_input_size() - 1
    # Interpolate has its axes as an attribute in its first version.
    told = at.op.get_attributes().get("axes")
    axes = constant_integers(at.op, last) if told is None else np.array(told)
    if axes is None or at.op.get_input_element_type(last).is_real():
        return at.unknown()
    data = at.given[0]
    resized = {int(axis) % len(data) for axis in axes.ravel()}
    for axis in resized:
        at.fix(data[axis], "resizes it")
    return [tuple(None if axis in resized else own for axis, own in enumerate(data))]


def _padded(at: Passage) -> list[Labels]:
    before, behind = constant_integers(at.op, 1), constant_integers(at.op, 2)
    if before is None or behind is None:
        return at.unknown()
    data = at.given[0]
    found: list[AxisLabels | None] = []
    for own, *counts in zip(data, before.ravel().tolist(), behind.ravel().tolist(), strict=True):
        if own is None or counts == [0, 0]:
            found.append(own)
        elif at.op.get_attributes()["pad_mode"] != "constant" or min(counts) < 0:
            at.fix(own, "repeats some of it")
            found.append(None)
        else:
            added = [at.numbers.fresh_fixed(count, f"{at.name} adds it") for count in counts]
            found.append(np.concatenate([added[0], own, added[1]]))
    return [tuple(found)]


def _cut(at: Passage) -> list[Labels]:
    """A Slice, or a StridedSlice."""
    cut = cut_of(at.op, at.shape())
    if cut is None:
        return at.unknown()
    left: list[AxisLabels | None] = []
    for own, start, stop in zip(at.given[0], cut.starts, cut.stops, strict=True):
        if own is not None and stop - start == 1:
            at.fix(own[start:stop], "takes it alone")
        left.append(None if own is None or stop - start == 1 else own[start:stop])
    return [tuple(None if axis is None else left[axis] for axis in cut.axes)]


def _repeated(at: Passage) -> list[Labels]:
    """A Broadcast."""
    if at.op.get_input_size() > 2 or at.op.get_attributes()["mode"] not in {"numpy", "bidirectional"}:
        return at.unknown()
    missing = len(at.shape_after()) - len(at.given[0])
    lengths = [0] * missing + at.shape()
    labels = (*[None] * missing, *at.given[0])
    return [
        tuple(
            own if before == after else None
            for own, before, after in zip(labels, lengths, at.shape_after(), strict=True)
        )
    ]


def _grouped(at: Passage) -> list[Labels]:
    """Channels of a group are normalized together: they go together."""
    data, own = at.given[0], at.join([at.given[0][1], *(labels[0] for labels in at.given[1:])])
    for spatial in data[2:]:
        at.fix(spatial, "computes over all of it")
    if own is None:
        return [data]
    size = len(own) // int(at.op.get_attributes()["num_groups"])
    at.numbers.join(own, np.repeat(own[::size], size))
    return [(data[0], own, *data[2:])]


# --- over axes -------------------------------------------------------------------------------------------------------


def _given_axes(at: Passage) -> list[Labels]:
    # MVN has its axes as an attribute in its first version.
    told = at.op.get_attributes().get("reduction_axes")
    axes = constant_integers(at.op, 1) if told is None else np.array(told)
    if axes is None:
        return at.unknown()
    data, rank = at.given[0], len(at.given[0])
    over = {int(axis) % rank for axis in axes.ravel()}
    for axis in over:
        at.fix(data[axis], "computes over all of it")
    if len(at.shape_after()) < rank:
        return [tuple(own for axis, own in enumerate(data) if axis not in over)]
    after = at.shape_after()
    return [tuple(own if after[axis] > 1 else None for axis, own in enumerate(data))]


def _own_axis(at: Passage) -> list[Labels]:
    data = at.given[0]
    at.fix(data[int(at.op.get_attributes()["axis"]) % len(data)], "computes over all of it")
    return [data]


# --- products --------------------------------------------------------------------------------------------------------


def _convolution(at: Passage) -> list[Labels]:
    row = operation(at.op.get_type_name())
    if row.channel_axes is None:
        return at.unknown()
    # A third input tells the lengths that windows move along.
    data, weight = at.given[:2]
    *group, out = row.channel_axes
    summed = next(axis for axis in range(len(group), len(group) + 2) if axis != out)
    for own in (*data[2:], *weight[len(group) + 2 :]):
        at.fix(own, "moves windows along it")
    rest: Labels = (None,) * (len(data) - 2)
    groups = at.shape(1)[0] if group else 1
    if groups == 1:
        at.join([data[1], weight[summed]])
        return [(data[0], weight[out], *rest)]
    at.fix(weight[summed], "sums over it within groups")
    at.fix(weight[out], "gives it within groups")
    if weight[0] is None or data[1] is None:
        at.fix(weight[0], "reads values that are no channels")
        at.fix(data[1], "has a weight without channels")
        return [(data[0], None, *rest)]
    at.numbers.join(data[1], np.repeat(weight[0], len(data[1]) // groups))
    return [(data[0], np.repeat(weight[0], at.shape_after()[1] // groups), *rest)]


def _product(at: Passage) -> list[Labels]:
    first, second = at.given
    if min(len(first), len(second)) < 2:
        return at.unknown("multiplies vectors")
    attributes = at.op.get_attributes()
    row, summed = (-1, -2) if attributes["transpose_a"] else (-2, -1)
    column, other = (-2, -1) if attributes["transpose_b"] else (-1, -2)
    if at.shape(0)[summed] > 1:
        at.join([first[summed], second[other]])
    return [(*_broadcast(at, at.shape_after(), 2), first[row], second[column])]


def _attention(at: Passage) -> list[Labels]:
    """Heads are broadcast; the numbers of a query and a key are summed over, by a factor that their count decides."""
    if any(len(labels) < 3 for labels in at.given[:3]):
        return at.unknown()
    query, key, value = at.given[:3]
    for own in (query[-1], key[-1]):
        at.fix(own, "scales by how many it sums over")
    for own in (query[-2], key[-2], value[-2], *(at.given[3][-2:] if len(at.given) > 3 else ())):
        at.fix(own, "computes over all of it")
    return [(*_broadcast(at, at.shape_after(), 2), query[-2], value[-1])]


# --- moves -----------------------------------------------------------------------------------------------------------


def _order(at: Passage) -> list[Labels]:
    """Reshape, Squeeze, Unsqueeze."""
    if at.op.get_type_name() == "Squeeze" and at.op.get_input_size() == 1:
        return at.unknown("drops all axes of length one")
    labels = reshaped(at.given[0], at.shape(), at.shape_after(), at.numbers, at.name, taken_apart(at.op.output(0)))
    if spells_shape(at.op) and spelled_shape(at.original, at.shape(), at.shape_after()) is None:
        return at.unknown("has a computed shape")
    return [labels]


def _transpose(at: Passage) -> list[Labels]:
    order = constant_integers(at.op, 1)
    data = at.given[0]
    if order is None:
        return at.unknown()
    axes = order.ravel().tolist() or list(range(len(data)))[::-1]
    return [tuple(data[axis] for axis in axes)]


def _joined(at: Passage) -> list[Labels]:
    rank = len(at.shape_after())
    along = int(at.op.get_attributes()["axis"]) % rank
    found = []
    for axis in range(rank):
        if axis != along:
            found.append(at.join([labels[axis] for labels in at.given]) if at.shape_after()[axis] > 1 else None)
            continue
        parts = []
        for port, labels in enumerate(at.given):
            own = labels[axis]
            if own is None:
                own = at.numbers.fresh_fixed(at.shape(port)[axis], f"{at.name} joins values that are no channels")
            parts.append(own)
        found.append(np.concatenate(parts))
    return [tuple(found)]


def _split(at: Passage) -> list[Labels]:
    axes = constant_integers(at.op, 1)
    if axes is None or (at.op.get_input_size() > 2 and constant_integers(at.op, 2) is None):
        return at.unknown()
    data = at.given[0]
    along = int(axes.ravel()[0]) % len(data)
    found, start = [], 0
    for port in range(at.op.get_output_size()):
        length = at.shape_after(port)[along]
        own = data[along]
        part = None if own is None or length == 1 else own[start : start + length]
        if own is not None and length == 1:
            at.fix(own[start : start + 1], "takes it alone")
        found.append((*data[:along], part, *data[along + 1 :]))
        start += length
    return found


def _lookup(at: Passage) -> list[Labels]:
    axes = constant_integers(at.op, 2)
    if axes is None or at.op.get_attributes().get("batch_dims", 0) != 0:
        return at.unknown()
    data, places = at.given[:2]
    along = int(axes.ravel()[0]) % len(data)
    own, indices = data[along], constant_integers(at.op, 1)
    chosen: Labels = places
    if own is not None:
        if indices is not None and indices.ndim == 1 and len(indices) > 1:
            chosen = (own[indices],)
        else:
            at.fix(own, "looks up in it")
    return [(*data[:along], *chosen, *data[along + 1 :])]


def _shape_of(at: Passage) -> list[Labels]:
    read = lengths_read(at.original, len(at.given[0]))
    for axis, own in enumerate(at.given[0]):
        if axis in read:
            at.fix(own, "reads how long it is")
    return [(None,)]


_BY_CHANNELS: Mapping[Channels, Callable[[Passage], list[Labels]]] = {
    Channels.WINDOWS: _windows,
    Channels.RESIZED: _resized,
    Channels.PADDED: _padded,
    Channels.JOINED: _joined,
    Channels.PARAMETERS: _parameters,
    Channels.CUT: _cut,
    Channels.GROUPED: _grouped,
    Channels.HEADS: _attention,
    Channels.REPEATED: _repeated,
}
_BY_SAMPLES: Mapping[Samples | None, Callable[[Passage], list[Labels]]] = {
    Samples.EACH: _each,
    Samples.ORDER: _order,
    Samples.GIVEN_AXES: _given_axes,
    Samples.OWN_AXIS: _own_axis,
    Samples.TRANSPOSE: _transpose,
    Samples.SPLIT: _split,
    Samples.LOOKUP: _lookup,
    Samples.PRODUCT: _product,
}
