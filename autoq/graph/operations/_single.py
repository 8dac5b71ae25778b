"""Computation in bfloat16 or double precision becomes computation in single precision.

A device still runs that in bfloat16 where it can; OpenVINO's CPU computes nothing in double precision.

requires: a model, or a body, that may be changed.
ensures: the same inputs, outputs, state and stored numbers; all that computes has single precision. An int8 convolution
    with a bias of bfloat16 gives wrong numbers on the CPU of OpenVINO 2026.4, and attention does not compile; in double
    precision parts of a model do not compile.

1. What an operation gives in the other type (a Constant, a Parameter, a state, a random number) is read behind a
   Convert.
2. A Convert between it and single precision is taken away, unless it is what reads case 1.
3. What has its types from outside (a Result, an Assign, an operation with bodies) reads it behind a Convert.
"""

from __future__ import annotations

import openvino as ov
from openvino import opset13 as ops

from autoq.graph.operations._operations import operation

# Beside what has bodies.
_BOUND = frozenset({"Result", "Assign"})


def compute_in_single(model: ov.Model, other: ov.Type) -> bool:
    """Changes a model; bodies of its operations are models of their own.

    Args:
        model: The model.
        other: What is not to be computed in.

    Returns:
        Whether anything has that type.
    """
    order = model.get_ordered_ops()
    if not any(output.get_element_type() == other for op in order for output in op.outputs()):
        return False
    read = {op.get_name(): [value.get_element_type() for value in op.input_values()] for op in order}
    for op in order:
        kind = op.get_type_name()
        if kind in _BOUND or operation(kind).has_bodies:
            for port, wanted in enumerate(read[op.get_name()]):
                _give(op.input(port), wanted, other)
        elif kind == "Convert" and op.get_element_type() in {other, ov.Type.f32}:
            _shorten(op, other)
        elif op.get_input_size():
            op.validate_and_infer_types()
        for output in op.outputs():
            if output.get_element_type() == other and kind != "Result":
                _read_in_single(output)
    model.validate_nodes_and_infer_types()
    return True


def _give(target: ov.Input, wanted: ov.Type, other: ov.Type) -> None:
    """Case 3."""
    source = target.get_source_output()
    if wanted == other and source.get_element_type() != wanted:
        kind = other.get_type_name()
        convert = _named(ops.convert(source, kind), f"{source.get_node().get_friendly_name()}/{kind}")
        names = source.get_names() if target.get_node().get_type_name() == "Result" else set()
        if names:
            source.set_names(set())
            convert.output(0).set_names(names)
        target.replace_source_output(convert.output(0))


def _shorten(convert: ov.Node, other: ov.Type) -> None:
    """Case 2; what is made of other types is made in single precision."""
    source = convert.input_value(0)
    given = source if source.get_element_type() == ov.Type.f32 else None
    if given is None and convert.get_element_type() == other:
        given = _named(ops.convert(source, "f32"), convert.get_friendly_name()).output(0)
    if given is not None:
        given.add_names(convert.output(0).get_names())
        for target in convert.output(0).get_target_inputs():
            target.replace_source_output(given)


def _read_in_single(output: ov.Output) -> None:
    """Case 1."""
    readers = [target for target in output.get_target_inputs() if not _makes_single(target.get_node())]
    if not readers:
        return
    node, name = output.get_node(), output.get_node().get_friendly_name()
    convert = _named(ops.convert(output, "f32"), name if node.get_type_name() == "Constant" else f"{name}/f32")
    if node.get_type_name() == "Constant":
        node.set_friendly_name(f"{name}_compressed")
    for target in readers:
        target.replace_source_output(convert.output(0))


def _makes_single(op: ov.Node) -> bool:
    return bool(op.get_type_name() == "Convert" and op.get_output_element_type(0) == ov.Type.f32)


def _named(node: ov.Node, name: str) -> ov.Node:
    node.set_friendly_name(name)
    return node
