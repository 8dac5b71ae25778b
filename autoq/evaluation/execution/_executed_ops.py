"""The operations of a model that each layer of a device executes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import openvino as ov

from autoq.evaluation.execution._executed import ExecutedLayer
from autoq.graph import unique_names, varying_ops

# The suffix that OpenVINO appends to the name of an operation when it moves the dequantization behind it.
_MOVED = ("/DequantizationMultiply", "/DequantizationSubtract")
_ENDS = frozenset({"Parameter", "Result"})


def executed_ops(model: ov.Model, layers: Sequence[ExecutedLayer]) -> tuple[tuple[str, ...], ...]:
    """The operations of a model that each layer executes; every operation belongs to one layer at most.

    1. A layer executes the operations that it names.
    2. A layer executes the operations of which it names only the dequantization.
    3. An operation that no layer names was merged into the operation that reads it; if no named one follows, into the
       one that it reads. Operations on constants or shapes alone were not merged, but computed when the model was
       compiled.

    Args:
        model: The model that was compiled.
        layers: The layers that run, in order.

    Returns:
        Unique names of operations for each layer, in topological order.
    """
    nodes = unique_names(model)
    owner = _named(nodes, layers)
    name_of = {str(node.get_name()): name for name, node in nodes.items()}
    varying = varying_ops(nodes)
    merged = [
        name for name, node in nodes.items() if name in varying - owner.keys() and node.get_type_name() not in _ENDS
    ]
    for name in reversed(merged):
        targets = (target for output in nodes[name].outputs() for target in output.get_target_inputs())
        _take(owner, name, (name_of[str(target.get_node().get_name())] for target in targets))
    for name in merged:
        if name not in owner:
            _take(owner, name, (name_of[str(value.get_node().get_name())] for value in nodes[name].input_values()))
    found: list[list[str]] = [[] for _ in layers]
    for name in nodes:
        if name in owner:
            found[owner[name]].append(name)
    return tuple(tuple(ops) for ops in found)


def _named(nodes: Mapping[str, ov.Node], layers: Sequence[ExecutedLayer]) -> dict[str, int]:
    """The layer that names an operation, or its dequantization."""
    called = _compiled_names(nodes)
    owner: dict[str, int] = {}
    for suffixes in (("",), _MOVED):
        for index, layer in enumerate(layers):
            for op in layer.ops:
                for suffix in suffixes:
                    if op.endswith(suffix) and (name := called.get(op.removesuffix(suffix))) is not None:
                        owner.setdefault(name, index)
    return owner


def _compiled_names(nodes: Mapping[str, ov.Node]) -> dict[str, str]:
    """Operations by their names in the compiled model: OpenVINO numbers names that occur twice."""
    taken = {node.get_friendly_name() for node in nodes.values()}
    repeats: Counter[str] = Counter()
    called: dict[str, str] = {}
    for name, node in nodes.items():
        own = node.get_friendly_name()
        alias = own
        while alias in called or (alias != own and alias in taken):
            repeats[own] += 1
            alias = f"{own}_{repeats[own]}"
        called[alias] = name
    return called


def _take(owner: dict[str, int], name: str, neighbours: Iterable[str]) -> None:
    """Gives an operation to the first layer among those of its neighbours, if any has one."""
    owners = [owner[neighbour] for neighbour in neighbours if neighbour in owner]
    if owners:
        owner[name] = min(owners)
