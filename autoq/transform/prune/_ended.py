"""Puts constants in place of branches that go as a whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as ops

from autoq.core import FloatArray
from autoq.graph import ChannelBranch, ChannelGraph, PortKey, core, unique_names, with_float_ends
from autoq.transform.prune._weights import constant_of


def end_branches(
    model: ov.Model,
    nodes: Mapping[str, ov.Node],
    graph: ChannelGraph,
    gone: NDArray[np.int64],
    given: Mapping[str, FloatArray],
) -> frozenset[PortKey]:
    """Lets what branches end at read constants, of the channels that stay.

    Args:
        model: The model with all channels; never modified.
        nodes: Operations of its clone, which is changed, by unique name.
        graph: Its channels.
        gone: Numbers of the channels that go, in ascending order.
        given: What layers give at the ends of branches, see `remove_channels`.

    Returns:
        The inputs that read these constants.
    """
    branches = graph.ended(gone.tolist())
    if not branches:
        return frozenset()
    values, ended = _values(model, graph, branches, given), set[PortKey]()
    for last in (last for branch in branches for last in branch.exits):
        for name, port in last.ends:
            ended.add(port)
            value = values[name]
            for axis, own in enumerate(graph.makes.get((name, 0), ())):
                if own is not None and value.shape[axis] == len(own):
                    value = np.compress(~np.isin(own, gone), value, axis)
            reader = nodes[port[0]]
            weight = nodes[last.op].input_value(graph.layer[last.op].weight_port)
            kind = reader.input_value(port[1]).get_element_type()
            made = constant_of(value, value.shape, weight, kind, f"{nodes[name].get_friendly_name()}/mean")
            reader.input(port[1]).replace_source_output(made.output(0))
    return frozenset(ended)


def _values(
    model: ov.Model, graph: ChannelGraph, branches: Sequence[ChannelBranch], given: Mapping[str, FloatArray]
) -> dict[str, FloatArray]:
    """What is read of branches at their ends, by name: OpenVINO computes it from what the layers give."""
    clone = model.clone()
    nodes = unique_names(clone)
    parameters, feeds, exits = [], [], [last for branch in branches for last in branch.exits]
    for last in exits:
        output, axis = nodes[last.op].output(0), graph.layer[last.op].output_axis
        lengths = [1] * len(output.get_partial_shape())
        lengths[axis] = output.get_partial_shape()[axis].get_length()
        numbers = given.get(last.op, np.zeros(lengths[axis], np.float32))
        parameter = ops.parameter(lengths, output.get_element_type(), name=f"{last.op}/given")
        for target in list(output.get_target_inputs()):
            target.replace_source_output(parameter.output(0))
        parameters.append(parameter)
        kind = output.get_element_type()
        feeds.append(np.asarray(numbers, np.float32 if kind == ov.Type.bf16 else kind.to_dtype()).reshape(lengths))
    _shape_anew(nodes, {op for branch in branches for op in branch.ops})
    names = list(dict.fromkeys(name for last in exits for name, _ in last.ends))
    place = {last.op: number for number, last in enumerate(exits)}
    ends = [parameters[place[name]] if name in place else nodes[name] for name in names]
    part = ov.Model([ops.result(end.output(0)) for end in ends], parameters, "ends of branches")
    part.validate_nodes_and_infer_types()
    compiled = core().compile_model(
        with_float_ends(part), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    )
    found = compiled(feeds)
    return {name: np.array(found[number], np.float32) for number, name in enumerate(names)}


def _shape_anew(nodes: Mapping[str, ov.Node], names: Collection[str]) -> None:
    """Lets each Reshape make the shape of one sample, whatever it was told."""
    for name in names:
        op = nodes[name]
        if op.get_type_name() == "Reshape" and op.get_output_partial_shape(0).rank.is_static:
            lengths = list(op.get_output_partial_shape(0))[1:]
            if all(length.is_static for length in lengths):
                told = np.array([1, *(length.get_length() for length in lengths)], np.int64)
                op.input(1).replace_source_output(ops.constant(told).output(0))
