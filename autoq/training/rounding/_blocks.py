"""A model in blocks that learn one after the other.

A place between two operations is told by the tensors that are needed behind it and depend on what learns. A block ends
where these are fewest, shapes left out: between the layers of a transformer it is the one stream that all of them add
to.

1. A block has at least five weights that learn, as a layer of a transformer has; the last one may have fewer.
2. It ends at the first place with one such tensor, as late as that place can be before the next weight.
3. Where there is none among the first fifteen weights, it ends at the narrowest place seen so far.
4. A place counts only if the float model has its tensors too, by name.
5. The last block ends at the outputs, or, where what is left has nothing that learns, at the place before.

What does not depend on weights, such as masks and positions, is computed in each block of the inputs of the model.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

import openvino as ov
from openvino import opset13 as ops

from autoq.graph import Tensor, opened_at, unique_names

_FEWEST, _MOST = 5, 15


@dataclass(frozen=True, slots=True)
class ModelBlock:
    """A part of a model.

    Attributes:
        needs: Tensors of earlier blocks.
        gives: Tensors that later blocks need and this one computes; empty for the outputs of the model.
        weights: Names of the weights that learn here.
    """

    needs: tuple[Tensor, ...]
    gives: tuple[Tensor, ...]
    weights: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    """A place behind an operation.

    Attributes:
        live: Tensors that are needed behind it.
        width: How many of them have real numbers; the others are shapes.
        count: How many of the weights stand before it.
        is_known: Whether the float model has these tensors.
    """

    live: tuple[Tensor, ...]
    width: int
    count: int
    is_known: bool


def blocks_of(model: ov.Model, weights: Iterable[str], teacher: ov.Model) -> list[ModelBlock]:
    """Splits a model.

    Args:
        model: The model, in which the weights that learn are inputs.
        weights: Names of these.
        teacher: The float model.
    """
    order, places = _places(model, set(weights), unique_names(teacher))
    made: list[ModelBlock] = []
    live: tuple[Tensor, ...] = ()
    done, start = 0, 0
    while done < len(order):
        chosen = _end(places[start:], done, len(order))
        if chosen is None:
            made.append(ModelBlock(live, (), tuple(order[done:])))
            break
        place = places[start + chosen]
        gives = tuple(tensor for tensor in place.live if tensor not in live)
        made.append(ModelBlock(live, gives, tuple(order[done : place.count])))
        live, done, start = place.live, place.count, start + chosen + 1
    return made


def block_model(model: ov.Model, block: ModelBlock, weights: Container[str] = ()) -> tuple[ov.Model, tuple[str, ...]]:
    """The model of a block: its inputs are those of the model, then what it needs, then the weights that it reads.

    Args:
        model: Never modified.
        block: The block.
        weights: Names of inputs that are weights.

    Returns:
        The model, and the names of the weights that it reads.
    """
    clone = model.clone()
    nodes = unique_names(clone)
    made = opened_at(nodes, block.needs)
    outputs = [nodes[tensor.producer].output(tensor.port) for tensor in block.gives]
    results = [ops.result(output) for output in outputs] or clone.get_results()
    own = [parameter for parameter in clone.get_parameters() if parameter.get_friendly_name() not in weights]
    opened = [parameter for parameter in clone.get_parameters() if parameter.get_friendly_name() in weights]
    read = _before(results)
    opened = [parameter for parameter in opened if parameter.get_name() in read]
    names = tuple(parameter.get_friendly_name() for parameter in opened)
    return ov.Model(results, [], [*own, *made, *opened], "block"), names


def _before(results: Iterable[ov.Node]) -> set[str]:
    """OpenVINO's names of the operations before some."""
    pending, found = list(results), set()
    while pending:
        op = pending.pop()
        if op.get_name() not in found:
            found.add(op.get_name())
            pending += [value.get_node() for value in op.input_values()]
    return found


def _end(places: Sequence[_Place], done: int, total: int) -> int | None:
    """The place at which a block ends that begins after so many weights; None for the outputs."""
    narrowest: int | None = None
    for number, place in enumerate(places):
        if not place.is_known or (place.count < done + _FEWEST and place.count < total):
            continue
        if place.width == 1:
            return number + _alike(places[number:])
        if narrowest is None or place.width < places[narrowest].width:
            narrowest = number
        if place.count >= done + _MOST:
            return narrowest
    return None


def _alike(places: Sequence[_Place]) -> int:
    """How many places farther a block may end with one tensor, without another weight."""
    farther = 0
    for number, place in enumerate(places):
        if place.width != 1 or place.count != places[0].count:
            break
        if place.is_known:
            farther = number
    return farther


def _places(model: ov.Model, weights: set[str], known: dict[str, ov.Node]) -> tuple[list[str], list[_Place]]:
    """The weights in the order in which they are read, and the places behind operations that depend on them."""
    named = {op.get_name(): name for name, op in unique_names(model).items()}
    fixed: set[str] = set()
    holds: dict[str, set[str]] = {}
    computed: list[tuple[ov.Node, list[str]]] = []
    learned: set[str] = set()
    read: set[str] = set()
    order: list[str] = []
    for op in model.get_ordered_ops():
        sources = [value.get_node().get_name() for value in op.input_values()]
        name, kind = op.get_name(), op.get_type_name()
        is_weight = named[name] in weights
        if kind == "Constant" or is_weight or (sources and kind != "Result" and fixed.issuperset(sources)):
            fixed.add(name)
            holds[name] = {named[name]} if is_weight else set().union(*(holds[source] for source in sources))
            continue
        if kind in {"Parameter", "Result"}:
            continue
        new = [w for source in sources for w in sorted(holds.get(source, ())) if w not in read]
        read.update(new)
        order += new
        if any(holds.get(source) or source in learned for source in sources):
            learned.add(name)
        computed.append((op, new))
    return order, list(_behind(computed, learned, named, known))


def _behind(
    computed: Sequence[tuple[ov.Node, list[str]]], learned: set[str], named: dict[str, str], known: dict[str, ov.Node]
) -> Iterator[_Place]:
    """The places, in the order of the operations before them."""
    position = {op.get_name(): number for number, (op, _) in enumerate(computed)}
    last: dict[Tensor, int] = {}
    for op, _ in computed:
        if op.get_name() in learned:
            for output in op.outputs():
                readers = [position.get(t.get_node().get_name(), len(computed)) for t in output.get_target_inputs()]
                if readers:
                    last[Tensor(named[op.get_name()], output.get_index())] = max(readers)
    live: dict[Tensor, ov.Output] = {}
    count = 0
    for number, (op, new) in enumerate(computed):
        count += len(new)
        live = {tensor: output for tensor, output in live.items() if last[tensor] > number}
        for output in op.outputs():
            tensor = Tensor(named[op.get_name()], output.get_index())
            if last.get(tensor, -1) > number:
                live[tensor] = output
        if live:
            width = sum(output.get_element_type().is_real() for output in live.values())
            yield _Place(tuple(live), width, count, all(_is_in(t, o, known) for t, o in live.items()))


def _is_in(tensor: Tensor, output: ov.Output, known: dict[str, ov.Node]) -> bool:
    op = known.get(tensor.producer)
    if op is None or op.get_type_name() != output.get_node().get_type_name() or tensor.port >= op.get_output_size():
        return False
    return bool(op.output(tensor.port).get_partial_shape().compatible(output.get_partial_shape()))
