"""Which constants of a model learn.

| Constant | Learns |
|---|---|
| weights of an operation, biases and scales that belong to it; of compressed weights their scales | yes |
| one number for each channel, which is added to or multiplied with what was learned before | yes |
| tables that are looked up; numbers along several axes that are added or multiplied, as positions | if embeddings do |
| anything before the first weights; limits, exponents, masks, single numbers, zero points, shapes | no |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import openvino as ov

from autoq.graph import unique_names
from autoq.training.twin._bodies import BODIES
from autoq.training.twin._constants import is_float, numbers
from autoq.training.twin._fused import Fused
from autoq.training.twin.rows import ROWS, Role

# A constant that is added and has such numbers hides places: nothing is learned there.
_HIDES = 1e4


@dataclass(frozen=True, slots=True)
class Learned:
    """Constants that are parameters of the module, by OpenVINO's name.

    Attributes:
        weights: These learn.
        tables: These learn if embeddings do.
    """

    weights: frozenset[str]
    tables: frozenset[str]


def learned_constants(model: ov.Model, fused: Mapping[str, Fused]) -> Learned:
    """The constants of a model that learn."""
    fixed = constant_values(model)
    behind: set[str] = set()
    weights: set[str] = set()
    tables: set[str] = set()
    for op in unique_names(model).values():
        kind, name = op.get_type_name(), op.get_name()
        if name in fixed or kind == "ShapeOf":
            continue
        sources = [value.get_node() for value in op.input_values()]
        learned = op.get_type_name() in BODIES or any(source.get_name() in behind for source in sources)
        for port, source in enumerate(sources):
            if source.get_name() not in fixed:
                continue
            role = _role(op, port, source, is_bias=name in fused) if learned else _own_role(op, port)
            if role is Role.WEIGHT:
                weights |= set(_float_sources(source))
            elif role is Role.TABLE:
                tables |= set(_float_sources(source))
            learned |= role is Role.WEIGHT or (role is Role.TABLE and is_float(source.get_output_element_type(0)))
        if learned:
            behind.add(name)
    return Learned(frozenset(weights), frozenset(tables - weights))


def constant_values(model: ov.Model) -> set[str]:
    """OpenVINO's names of the operations whose values no input changes."""
    fixed: set[str] = set()
    for op in model.get_ordered_ops():
        sources = [value.get_node().get_name() for value in op.input_values()]
        is_fixed = bool(sources) and op.get_type_name() not in {"ReadValue", "Assign", "Result"}
        if op.get_type_name() == "Constant" or (is_fixed and all(source in fixed for source in sources)):
            fixed.add(op.get_name())
    return fixed


def _own_role(op: ov.Node, port: int) -> Role:
    """What the input at a port is, whatever was learned before."""
    kind = op.get_type_name()
    role = ROWS[kind].role(port) if kind in ROWS else Role.VALUE
    return Role.VALUE if kind == "MatMul" and _is_outer(op, port) else role


def _role(op: ov.Node, port: int, source: ov.Node, *, is_bias: bool) -> Role:
    """What the input at a port is, behind something that was learned.

    A scale or a bias of channels is a weight; numbers along several axes are a table; one number is a value.
    """
    role = _own_role(op, port)
    if role is not Role.FACTOR or _hides(source):
        return role
    axes = sum(size > 1 for size in source.get_output_shape(0))
    if is_bias or axes == 1:
        return Role.WEIGHT
    return Role.TABLE if axes > 1 else Role.VALUE


def _hides(source: ov.Node) -> bool:
    node = source.input_value(0).get_node() if source.get_type_name() == "Convert" else source
    if node.get_type_name() != "Constant" or not is_float(node.get_element_type()):
        return False
    value = numbers(node)
    return bool(np.any(~(np.abs(value) < _HIDES)))


def _is_outer(op: ov.Node, port: int) -> bool:
    """Whether a product sums over a single number: angles of positions for example."""
    transposed = op.get_attributes()["transpose_a" if port == 0 else "transpose_b"]
    shape = op.get_input_shape(port) if op.get_input_partial_shape(port).is_static else ()
    return len(shape) > 1 and shape[-1 if (port == 0) != transposed else -2] == 1


def _float_sources(source: ov.Node) -> Iterator[str]:
    """The constants of real numbers that a value is made of; limits and zero points do not count."""
    kind = source.get_type_name()
    if kind == "Constant":
        if is_float(source.get_element_type()):
            yield source.get_name()
        return
    first_alone = kind in {"FakeQuantize", "FakeConvert", "Convert", "Subtract", "Gather"}
    for port, value in enumerate(source.input_values()):
        if port == 0 or not (first_alone or (kind in ROWS and ROWS[kind].role(port) is Role.SIZES)):
            yield from _float_sources(value.get_node())
