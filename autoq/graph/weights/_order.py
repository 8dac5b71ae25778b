"""The order in which weights are taken, which is NNCF's: which weight is the last one depends on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from heapq import heapify, heappop, heappush

import openvino as ov


def reading_order(model: ov.Model, name_of: Mapping[str, str]) -> tuple[list[str], frozenset[str]]:
    """Operations in topological order, and those that data flow through.

    Operations are numbered breadth first from inputs and state, readers of a value by their names, and then as OpenVINO
    lists them. Of the operations whose producers have all been taken, the one with the lowest number is next.

    Args:
        model: The model.
        name_of: Unique name by OpenVINO's own name.

    Returns:
        Unique names in this order, and the names of operations that depend on an input or a state.
    """
    order = model.get_ops()
    nodes = {name_of[op.get_name()]: op for op in order}
    readers = {
        name: [name_of[own] for target in _targets(op) if (own := target.get_node().get_name()) in name_of]
        for name, op in nodes.items()
    }
    reached = _breadth_first(model, nodes, readers, name_of)
    number = {name: place for place, name in enumerate([*reached, *(name for name in nodes if name not in reached)])}
    by_number = list(number)
    waits = dict.fromkeys(nodes, 0)
    for targets in readers.values():
        for target in set(targets):
            waits[target] += 1
    ready = [number[name] for name, producers in waits.items() if not producers]
    heapify(ready)
    found = []
    while ready:
        name = by_number[heappop(ready)]
        found.append(name)
        for target in set(readers[name]):
            waits[target] -= 1
            if not waits[target]:
                heappush(ready, number[target])
    return found, frozenset(reached)


def _targets(op: ov.Node) -> Iterator[ov.Input]:
    """The inputs that read an operation; some may belong to another model that shares it."""
    for output in op.outputs():
        yield from output.get_target_inputs()


def _breadth_first(
    model: ov.Model, nodes: Mapping[str, ov.Node], readers: Mapping[str, list[str]], name_of: Mapping[str, str]
) -> dict[str, None]:
    """Names of operations that depend on an input or a state, in the order in which they are reached."""
    states = [name for name, op in nodes.items() if op.get_type_name() == "ReadValue"]
    queue = deque([*(name_of[op.get_name()] for op in model.get_parameters()), *states])
    reached: dict[str, None] = {}
    while queue:
        name = queue.popleft()
        if name not in reached:
            reached[name] = None
            queue.extend(sorted(readers[name]))
    return reached
