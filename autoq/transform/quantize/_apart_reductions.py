"""Keeps quantizers apart from the reductions before them, where OpenVINO's CPU computes both as one and is wrong.

requires: a clone with its quantizers.
ensures: the model computes the same numbers. A reduction of one of these cases keeps its axes if it did not, and loses
    them if it kept them; an Unsqueeze or Squeeze that stands between gives the shape, and has its name.

OpenVINO's CPU takes what follows a reduction, up to a quantizer, into its kernel.

1. The largest or smallest of several values is then looked for among values that are cut to 8 bits already.
2. A mean, a sum or a norm over the second axis, which goes away, or of a tensor of three axes, is then multiplied by
   the scale of another channel.
"""

from __future__ import annotations

from collections.abc import Iterator

import openvino as ov
from openvino import opset13 as ops
from openvino.utils.node_factory import NodeFactory

from autoq.graph import REDUCED, Family, operation


def keep_reductions_apart(model: ov.Model) -> None:
    """Puts a change of shape between reductions and what OpenVINO's CPU would compute with them.

    Args:
        model: The clone; it is changed.
    """
    fakes = [op for op in model.get_ordered_ops() if op.get_type_name() == "FakeQuantize"]
    found = {op.get_name(): op for fake in fakes if (op := _fused(fake)) is not None and any(_cases(op))}
    for op in found.values():
        _toggle(op)


def _fused(fake: ov.Node) -> ov.Node | None:
    """The reduction that a quantizer reads, also through operations of one input that leave the axes as they are."""
    op = fake.input_value(0).get_node()
    while (row := operation(op.get_type_name())).family not in {Family.EXTREME, Family.TOTAL}:
        varying = [value for value in op.input_values() if value.get_node().get_type_name() != "Constant"]
        if len(varying) != 1 or row.linear or row.quantizer or _rank(varying[0]) != _rank(op.output(0)):
            return None
        op = varying[0].get_node()
    return op


def _cases(op: ov.Node) -> Iterator[bool]:
    rank = _rank(op.input_value(0))
    yield operation(op.get_type_name()).family is Family.EXTREME
    axes = op.input_value(1).get_node()
    known = axes.get_type_name() == "Constant" and rank is not None
    over_second = not known or 1 in axes.data.reshape(-1) % rank
    yield rank == 3 or (over_second and not op.get_attributes()["keep_dims"])


def _toggle(op: ov.Node) -> None:
    value, axes = op.input_values()
    kept, name = op.get_attributes()["keep_dims"], op.get_friendly_name()
    reduced = NodeFactory("opset13").create(op.get_type_name(), [value, axes], {"keep_dims": not kept})
    reduced.set_friendly_name(name + REDUCED)
    shaped = ops.unsqueeze(reduced, axes) if kept else ops.squeeze(reduced, axes)
    shaped.set_friendly_name(name)
    shaped.output(0).set_names(op.output(0).get_names())
    for target in op.output(0).get_target_inputs():
        target.replace_source_output(shaped.output(0))


def _rank(value: ov.Output) -> int | None:
    shape = value.get_partial_shape()
    return len(shape) if shape.rank.is_static else None
