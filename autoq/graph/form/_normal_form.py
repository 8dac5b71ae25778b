"""The normal form of models: each value that does not depend on an input is a Constant.

requires: any model; another model in use may share its operations.
ensures: a new model that computes the same, bit for bit except for bfloat16 and double precision (see
    `compute_in_single`). It has the names, layouts, state and runtime information of the given model. A value that no
    input changes is one Constant, with the name of its operation.

OpenVINO's folding is applied, also in the bodies of If, Loop and TensorIterator:

1. Operations on constants: Reshape, Transpose, Split, Concat, Gather, arithmetic and so on.
2. Known shapes, and values computed from them: the Reshape of a bias to the rank of a convolution's output for example,
   even if no length of that output is known.
3. Operations that only move constants of half precision: the Convert to single precision then follows them, and the
   file does not grow. Arithmetic on such constants is folded in single precision.

4. A product with one, which a reader of files inserts for the factor of ONNX's Gemm, is removed.

These stay as they are:

5. `Convert(Constant)` of half precision: folded, it would take twice the memory.
6. Weights that are quantized already: a FakeQuantize or FakeConvert; integers and floating point numbers of 8 bits or
   fewer with a Convert after them, and values computed from them.
7. The initial value of a state.
8. A value of more than 1 MiB that is more than twice as large as its constants (Broadcast, Tile, Range), unless an
   operation reads it as its weight.

An operation may have only the number that OpenVINO gave it, which differs at each reading. If it is folded, its
Constant is named after its reader. If it stays, its name is its type and its place among operations of that type, so
that plans and statistics find it again in another process. `given_names` knows the number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np
import openvino as ov
from openvino import opset13 as ops
from openvino.passes import ConstantFolding
from openvino.passes import Manager as Passes

from autoq.graph.operations import (
    FLOAT_TYPES,
    HALF_TYPES,
    NARROW_TYPES,
    compute_in_single,
    float_constant,
    made_names,
    name_by_place,
    operation,
)

# OpenVINO's folding skips operations with this mark. Python has no function that sets it.
_KEEP = "DisableConstantFolding_0"
# A mark on the operations of a model in normal form.
_TRACES = (_KEEP, "can_be_folded", "requires_precision_conversion_0")

# Never folded, whatever they read. Quantizers and operations with bodies are not folded either.
_STANDING = frozenset({"Result", "Assign", "ReadValue", "RandomUniform", "Multinomial"})

_LARGE_BYTES = 2**20
_MOST_GROWTH = 2


def normal_form(model: ov.Model) -> ov.Model:
    """A model in normal form; a new one at each call.

    Args:
        model: Any model, or the body of an operation; never modified.
    """
    clone = model.clone()
    parts, own = list(_parts(clone)), [made_names(part) for part in _parts(model)]
    numbered = {op.get_friendly_name() for part in parts for op in part.get_ordered_ops() if _is_numbered(op)}
    for part in parts:
        compute_in_single(part, ov.Type.bf16)
    _fold(clone, parts)
    # Values from which constants are computed keep their digits until then.
    changed = [compute_in_single(part, ov.Type.f64) for part in parts]
    if any(changed):
        _fold(clone, parts)
    released = [found for part in parts if (found := _move_above_convert(part)) is not None]
    if released:
        _fold(clone, parts, set().union(*released))
    for part in parts:
        _drop_products_with_one(part)
        _name_by_reader(part, numbered)
    for part, made in zip(parts, own, strict=True):
        name_by_place(part, made)
    return clone


def bodies(op: ov.Node) -> Iterator[ov.Model]:
    """The models inside an operation; they must not be modified."""
    kind = op.get_type_name()
    if kind == "If":
        yield from (op.get_function(branch) for branch in (0, 1))
    elif operation(kind).has_bodies:
        yield op.get_function()


def _parts(model: ov.Model) -> Iterator[ov.Model]:
    """A model and the bodies of its operations, at any depth."""
    yield model
    for op in model.get_ordered_ops():
        for body in bodies(op):
            yield from _parts(body)


# --- folding ---------------------------------------------------------------------------------------------------------


def _fold(model: ov.Model, parts: Sequence[ov.Model], released: Collection[str] = ()) -> None:
    """Folds all operations that are not kept.

    Args:
        model: The model; it and its bodies are changed.
        parts: The model and its bodies.
        released: OpenVINO's names of Converts that are folded, although they make numbers longer.
    """
    halves: list[tuple[ov.Node, ov.Type]] = []
    for part in parts:
        for op in _kept(part, released):
            op.get_rt_info()[_KEEP] = True
            if op.get_type_name() == "Convert" and op.get_input_element_type(0).get_type_name() in HALF_TYPES:
                halves.append((op, op.get_input_element_type(0)))
    passes = Passes()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)
    for convert, kind in halves:
        source = convert.input_value(0).get_node()
        if source.get_element_type() != kind:
            # OpenVINO folds in single precision, and leaves the result in it before a Convert: the numbers are the
            # same.
            stored = float_constant(source.data, kind)
            stored.set_friendly_name(source.get_friendly_name())
            convert.input(0).replace_source_output(stored.output(0))
    for part in parts:
        for op in part.get_ordered_ops():
            info = op.get_rt_info()
            for trace in _TRACES:
                if trace in info:
                    del info[trace]


def _kept(model: ov.Model, released: Collection[str]) -> Iterator[ov.Node]:
    """Operations that are not folded."""
    order = model.get_ordered_ops()
    for op in order:
        if operation(op.get_type_name()).quantizer or (_lengthens(op) and op.get_name() not in released):
            yield op  # cases 5 and 6
        elif op.get_type_name() == "ReadValue" and op.get_input_size():
            yield op.input_value(0).get_node()  # case 7
    yield from _large(order)  # case 8


def _is_standing(op: ov.Node) -> bool:
    kind = op.get_type_name()
    row = operation(kind)
    return kind in _STANDING or row.quantizer or row.has_bodies


def _lengthens(op: ov.Node) -> bool:
    """Whether an operation converts short floating point numbers to longer ones."""
    if op.get_type_name() != "Convert":
        return False
    short, made = op.get_input_element_type(0).get_type_name(), op.get_element_type().get_type_name()
    return made in FLOAT_TYPES and (short in NARROW_TYPES or (short in HALF_TYPES and made not in HALF_TYPES))


def _large(order: Sequence[ov.Node]) -> Iterator[ov.Node]:
    """Case 8: operations on constants alone whose value is much larger than these, and would be stored."""
    made_of: dict[str, int] = {}
    for op in order:
        sources = [value.get_node().get_name() for value in op.input_values()]
        if op.get_type_name() == "Constant":
            made_of[op.get_name()] = _bytes(op)
        elif op.get_type_name() == "ShapeOf" and op.get_input_partial_shape(0).is_static:
            made_of[op.get_name()] = 0
        elif sources and not _is_standing(op) and all(source in made_of for source in sources):
            made_of[op.get_name()] = sum(made_of[source] for source in sources)
    large: set[str] = set()
    for op in reversed(order):
        name = op.get_name()
        if op.get_type_name() == "Constant" or _bytes(op) <= max(_LARGE_BYTES, _MOST_GROWTH * made_of.get(name, 0)):
            continue
        readers = [(t.get_node(), t.get_index()) for output in op.outputs() for t in output.get_target_inputs()]
        is_stored = any(reader.get_name() not in made_of or reader.get_name() in large for reader, _ in readers)
        is_weight = any(port in operation(reader.get_type_name()).weight_ports for reader, port in readers)
        if name in made_of and is_stored and not is_weight:
            large.add(name)
            yield op


def _bytes(op: ov.Node) -> int:
    """Bytes of all outputs with a known shape."""
    known = [output for output in op.outputs() if output.get_partial_shape().is_static]
    return sum(math.prod(output.get_shape()) * int(output.get_element_type().bitwidth) // 8 for output in known)


def _drop_products_with_one(model: ov.Model) -> None:
    """Case 4."""
    for op in model.get_ordered_ops():
        if op.get_type_name() != "Multiply" or not _is_numbered(op) or op.output(0).get_names():
            continue
        value, factor = op.input_value(0), op.input_value(1).get_node()
        is_scalar = factor.get_type_name() == "Constant" and not factor.get_output_shape(0)
        if is_scalar and float(factor.get_data(dtype=np.float32)) == 1:
            for target in op.output(0).get_target_inputs():
                target.replace_source_output(value)


# --- constants of half precision -------------------------------------------------------------------------------------


def _move_above_convert(model: ov.Model) -> set[str] | None:
    """Case 3: operations that only move constants read them in half precision; those that compute read Converts.

    Returns:
        OpenVINO's names of these Converts, which may be folded; None if nothing is changed.
    """
    halves: set[str] = set()
    moved: set[str] = set()
    computed: set[str] = set()
    released: set[str] = set()
    for op in model.get_ordered_ops():
        sources = [value.get_node() for value in op.input_values()]
        names = [source.get_name() for source in sources]
        if _lengthens(op) and sources[0].get_type_name() == "Constant":
            if op.get_input_element_type(0).get_type_name() in HALF_TYPES:
                halves.add(op.get_name())
            continue
        made = halves | moved | computed
        known = all(source.get_name() in made or source.get_type_name() == "Constant" for source in sources)
        if _is_standing(op) or not known or made.isdisjoint(names):
            continue
        data = range(len(names)) if op.get_type_name() == "Concat" else range(1)
        types = {(sources[port].get_input_element_type(0), sources[port].get_element_type()) for port in data}
        moves = operation(op.get_type_name()).moves_constants
        if moves and len(types) == 1 and all(names[port] in halves | moved for port in data):
            moved |= _moved(op, data)
            continue
        computed.add(op.get_name())
        for port, source in enumerate(sources):
            if names[port] in halves | moved:
                own = ops.convert(source.input_value(0), source.get_element_type().get_type_name())
                op.input(port).replace_source_output(own.output(0))
                released.add(own.get_name())
    if not moved and not computed:
        return None
    model.validate_nodes_and_infer_types()
    return released


def _moved(op: ov.Node, data: Iterable[int]) -> set[str]:
    """Moves the Converts before an operation behind it; gives OpenVINO's names of the new Converts."""
    converts = set()
    readers = [list(output.get_target_inputs()) for output in op.outputs()]
    kind, name = op.get_output_element_type(0).get_type_name(), op.get_friendly_name()
    for port in data:
        op.input(port).replace_source_output(op.input_value(port).get_node().input_value(0))
    op.set_friendly_name(f"{name}_compressed")
    for output, targets in zip(op.outputs(), readers, strict=True):
        convert = ops.convert(output, kind)
        convert.set_friendly_name(name if op.get_output_size() == 1 else f"{name}.{output.get_index()}")
        converts.add(convert.get_name())
        for target in targets:
            target.replace_source_output(convert.output(0))
    return converts


# --- names -----------------------------------------------------------------------------------------------------------


def _is_numbered(op: ov.Node) -> bool:
    """Whether an operation has only the number that OpenVINO gave it, and could be folded."""
    numbered = re.fullmatch(rf"{op.get_type_name()}_\d+", op.get_friendly_name()) is not None
    return numbered and op.get_type_name() != "Constant" and not _lengthens(op)


def _name_by_reader(model: ov.Model, numbered: Collection[str]) -> None:
    """Names the constants of numbered operations after the first operation that reads them."""
    order = model.get_ordered_ops()
    place = {op.get_name(): number for number, op in enumerate(order)}
    for op in reversed(order):
        if op.get_type_name() != "Constant" and not _lengthens(op):
            continue
        name = op.get_friendly_name().removesuffix("_compressed")
        readers = [(t.get_node(), t.get_index()) for t in op.output(0).get_target_inputs()]
        if readers and (name in numbered or name.rpartition(".")[0] in numbered):
            reader, port = min(readers, key=lambda found: (place[found[0].get_name()], found[1]))
            op.set_friendly_name(f"{reader.get_friendly_name()}/constant_{port}")
