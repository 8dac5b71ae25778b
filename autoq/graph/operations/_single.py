"""Changes computation in bfloat16 or double precision to single precision.

A device still runs it in bfloat16 where it can. OpenVINO's CPU computes nothing in double precision.

requires: a model, or a body, that may be changed.
ensures: inputs, outputs, state and stored numbers are the same; all computation has single precision. On the CPU of
    OpenVINO 2026.4, an int8 convolution with a bias of bfloat16 gives wrong numbers, attention in bfloat16 does not
    compile, and nor do parts of a model in double precision.

1. A value in the other type (of a Constant, a Parameter, a state, a random number) is read through a Convert.
2. A Convert between that type and single precision is removed, unless it reads a value of case 1.
3. An operation whose types are given from outside (a Result, an Assign, an operation with bodies) reads through a
   Convert.
"""

from __future__ import annotations

import openvino as ov
from openvino import opset13 as ops

from autoq.graph.operations._operations import operation

# Such operations beside those with bodies.
_BOUND = frozenset({"Result", "Assign"})


def compute_in_single(model: ov.Model, other: ov.Type) -> bool:
    """Changes a model; bodies of its operations are models of their own.

    Args:
        model: The model.
        other: The type to replace.

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
    """Case 2. Values that are made from other types are made in single precision."""
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
