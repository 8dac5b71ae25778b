"""Removes channels of a model: constants are cut, and what spells the number of channels is written anew.

requires: a model in normal form, and its channels.
ensures: a new model, which computes what the given one does if the channels are zero in all layers that make them, and
    all layers that read them ignore them. Names, inputs and outputs are the same.

0. Where all channels of a group go, constants are read in place of its branch.
1. A Constant is cut for each of its readers; readers that keep the same of it share one.
2. A Reshape asks for the new lengths; if its shape was computed, for lengths of its input where these are open.
3. A Split into parts that are no longer equal becomes a VariadicSplit; the lengths of one are written anew.
4. A Gather of certain channels looks them up in their new places, and a Slice or a StridedSlice starts and stops at
   theirs.
5. A GroupNormalization has as many groups as are left.
6. A Broadcast takes the lengths of axes of channels from what it repeats.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import openvino as ov
from numpy.typing import ArrayLike, NDArray
from openvino import opset13 as ops
from openvino.op import Constant
from openvino.utils import replace_node

from autoq.core import FloatArray, ModelError, quoted
from autoq.graph import ChannelGraph, Channels, PortKey, Samples, cut_of, operation, unique_names
from autoq.transform.prune._ended import end_branches

# For each axis, which positions are kept; None for all.
_Kept = tuple[NDArray[np.bool_] | None, ...]


def remove_channels(
    model: ov.Model, graph: ChannelGraph, removed: Collection[int], given: Mapping[str, FloatArray] | None = None
) -> ov.Model:
    """A model without some channels.

    Args:
        model: The model that the channels were found in; never modified.
        graph: Its channels.
        removed: Numbers of channels of its groups.
        given: What layers at the ends of branches give without these, one number for each channel, by name; zeros for
            those that are not named.

    Raises:
        ModelError: Nothing would be left of a tensor.
    """
    clone = model.clone()
    nodes = unique_names(clone)
    gone = np.array(sorted(removed), np.int64)
    skipped = end_branches(model, nodes, graph, gone, given or {})
    live = {op.get_name() for op in clone.get_ordered_ops()}
    nodes = {name: op for name, op in nodes.items() if op.get_name() in live}
    reads, makes = (
        _kept({port: axes for port, axes in ports.items() if port[0] in nodes and port not in skipped}, gone)
        for ports in (graph.reads, graph.makes)
    )
    cut: dict[tuple[str, bytes], ov.Node] = {}
    changing = {name for name, _ in (*reads, *makes)}
    # In topological order: a new operation reads what has its new shape already.
    for name, op in nodes.items():
        if name in changing:
            own = {port: kept for (reader, port), kept in reads.items() if reader == name}
            _cut_constants(op, own, cut)
            _rewrite(
                op, graph.shapes.get(name), own.get(0), [makes.get((name, n)) for n in range(op.get_output_size())]
            )
    clone.validate_nodes_and_infer_types()
    return clone


def _kept(ports: Mapping[PortKey, Iterable[NDArray[np.int64] | None]], gone: NDArray[np.int64]) -> dict[PortKey, _Kept]:
    """Ports of which something goes."""
    found = {}
    # Numbers beyond those that go read the last place, and so does -1, which is no channel.
    stays = np.ones(int(gone.max(initial=-1)) + 2, bool)
    stays[gone] = False
    for port, axes in ports.items():
        stay = [None if axis is None else stays[np.minimum(axis, len(stays) - 1)] for axis in axes]
        kept = tuple(None if axis is None or axis.all() else axis for axis in stay)
        if any(axis is not None and not axis.any() for axis in kept):
            msg = f"{quoted(port[0])} would keep no channel of a tensor: let fewer channels go."
            raise ModelError(msg)
        if any(axis is not None for axis in kept):
            found[port] = kept
    return found


def _cut_constants(op: ov.Node, kept: Mapping[int, _Kept], cut: dict[tuple[str, bytes], ov.Node]) -> None:
    """Case 1.

    Args:
        op: The operation that reads them.
        kept: What is kept of its inputs, by port.
        cut: Constants that were cut already, by name and what is kept.
    """
    for port, axes in kept.items():
        source = op.input_value(port).get_node()
        if source.get_type_name() == "Constant":
            marks = b"|".join(b"" if axis is None else np.packbits(axis).tobytes() for axis in axes)
            key = source.get_name(), marks
            if key not in cut:
                cut[key] = _cut(source, axes)
            op.input(port).replace_source_output(cut[key].output(0))


def _rewrite(op: ov.Node, shape: tuple[int, ...] | None, before: _Kept | None, after: Sequence[_Kept | None]) -> None:
    """Cases 2 to 6; an operation that is not replaced gets its new shapes."""
    samples, channels = operation(op.get_type_name()).samples, operation(op.get_type_name()).channels
    if shape is not None and after[0] is not None:
        _spell(op, shape, before, after[0])
    elif samples is Samples.SPLIT and _split(op, after):
        return
    elif samples is Samples.LOOKUP and before is not None:
        _look_up(op, before)
    elif channels is Channels.CUT and before is not None:
        _cut_range(op, before)
    elif channels is Channels.REPEATED and after[0] is not None:
        _repeat(op, after[0])
    elif channels is Channels.GROUPED and before is not None and (own := before[1]) is not None:
        op.set_attribute("num_groups", int(op.get_attributes()["num_groups"] * own.sum()) // len(own))
    op.validate_and_infer_types()


def _cut(constant: ov.Node, kept: _Kept) -> ov.Node:
    data = constant.data
    for axis, own in enumerate(kept):
        if own is not None:
            data = np.compress(own, data, axis)
    tensor = ov.Tensor(constant.get_element_type(), list(data.shape))
    # Types that NumPy does not have are given, and taken, as their bits.
    tensor.data[...] = data
    made = Constant(tensor)
    made.set_friendly_name(constant.get_friendly_name())
    return made


def _spell(op: ov.Node, lengths: Iterable[int], before: _Kept | None, after: _Kept) -> None:
    """Case 2."""
    spelled = list(lengths)
    for axis, own in enumerate(after):
        if own is None or spelled[axis] == -1:
            continue
        copied = before[axis] if before is not None and axis < len(before) else None
        if spelled[axis] or copied is None or copied.sum() != own.sum():
            spelled[axis] = int(own.sum())
    if op.input_value(1).get_node().get_type_name() != "Constant":
        op.set_attribute("special_zero", True)
    _give(op, 1, spelled)


def _split(op: ov.Node, parts: Sequence[_Kept | None]) -> bool:
    """Case 3; whether the operation is replaced."""
    along = int(op.input_value(1).get_node().data.ravel()[0])
    kept = [None if part is None else part[along] for part in parts]
    if all(own is None for own in kept):
        return False
    lengths = [output.get_partial_shape()[along].get_length() for output in op.outputs()]
    counts = [length if own is None else int(own.sum()) for length, own in zip(lengths, kept, strict=True)]
    if op.get_input_size() == 3:
        given = op.input_value(2).get_node().data.ravel().tolist()
        _give(op, 2, [-1 if old == -1 else new for old, new in zip(given, counts, strict=True)])
    elif len(set(counts)) > 1:
        made = ops.variadic_split(op.input_value(0), op.input_value(1), ops.constant(np.array(counts)))
        made.set_friendly_name(op.get_friendly_name())
        replace_node(op, made)
        return True
    return False


def _look_up(op: ov.Node, kept: _Kept) -> None:
    """Case 4."""
    own = kept[int(op.input_value(2).get_node().data.ravel()[0])]
    if own is not None:
        places = op.input_value(1).get_node().data.astype(np.int64)
        _give(op, 1, (np.cumsum(own) - 1)[places][own[places]])


def _cut_range(op: ov.Node, kept: _Kept) -> None:
    """Case 4 of a Slice and a StridedSlice: what comes before its ends, and stays, tells their new places."""
    cut = cut_of(op, [1 if own is None else len(own) for own in kept])
    starts, stops = (op.input_value(port).get_node().data.copy() for port in (1, 2))
    for place, axis in enumerate(() if cut is None else cut.told):
        if cut is not None and axis is not None and (own := kept[axis]) is not None:
            starts[place], stops[place] = (int(own[:end].sum()) for end in (cut.starts[axis], cut.stops[axis]))
    _give(op, 1, starts)
    _give(op, 2, stops)


def _repeat(op: ov.Node, kept: _Kept) -> None:
    """Case 6: an axis that is to have the length one has that of the data."""
    told = op.input_value(1)
    kind = told.get_element_type().to_dtype()
    given = np.array([own is None for own in kept])
    lengths = ops.select(ops.constant(given), told, ops.constant(np.ones(1, kind)))
    lengths.set_friendly_name(f"{op.get_friendly_name()}/lengths")
    op.set_attribute("mode", "bidirectional")
    op.input(1).replace_source_output(lengths.output(0))


def _give(op: ov.Node, port: int, values: ArrayLike) -> None:
    """Gives an operation a Constant of integers; other readers of the former one keep it."""
    former = op.input_value(port)
    is_constant = former.get_node().get_type_name() == "Constant"
    made = ops.constant(np.asarray(values, former.get_element_type().to_dtype() if is_constant else np.int64))
    made.set_friendly_name(former.get_node().get_friendly_name() if is_constant else f"{op.get_friendly_name()}/shape")
    op.input(port).replace_source_output(made.output(0))
