"""Units: the groups that a search gives one precision, at each level."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import openvino as ov

from autoq.core import Level, PlanError
from autoq.graph.flow import Flow
from autoq.graph.levels._blocks import blocks
from autoq.graph.operations import QuantizationGraph

WHOLE_MODEL = "*"
_MOST_PREFIXES = 40
# A part of a hierarchical name with the separator before it: "/", "." or ":".
_PART = re.compile(r"[/.:]*[^/.:]+")


def units(model: ov.Model, graph: QuantizationGraph, level: Level) -> dict[str, tuple[str, ...]]:
    """Groups by unit, in topological order of the units' first groups.

    - `group`: each group by itself, under its own name.
    - `block`: the blocks of the network, see `blocks`. The name of a block is the longest common beginning of the names
      of its groups, if no other block has a group with this beginning; otherwise the name of its first group.
    - `type`: all groups whose first operation has the same OpenVINO type, which is the name.
    - `prefix`: all groups whose names begin with the same parts, separated by "/", "." or ":". The number of parts is
      such that there are as many units as possible, but fewer than groups, and at most 40.
    - `model`: all groups, under "*".

    Args:
        model: The model of the graph.
        graph: Its groups; every group is in exactly one unit.
        level: The level.

    Raises:
        PlanError: The level is `prefix`, and the names of the groups have no hierarchy, or none that gives several
            units.
    """
    names = [group.name for group in graph.groups]
    match level:
        case Level.GROUP:
            return {name: (name,) for name in names}
        case Level.BLOCK:
            found = blocks(Flow.of(model), graph)
            return _named([tuple(group.name for group in block) for block in found])
        case Level.TYPE:
            types = Flow.of(model).type
            return _gathered((types[name], name) for name in names)
        case Level.PREFIX:
            return _by_prefix(names)
        case Level.MODEL:
            return {WHOLE_MODEL: tuple(names)} if names else {}


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for unit, group in pairs:
        found.setdefault(unit, []).append(group)
    return {unit: tuple(members) for unit, members in found.items()}


def _prefix(name: str, depth: int) -> str:
    return "".join(_PART.findall(name)[:depth]) or name


def _by_prefix(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    deepest = max((len(_PART.findall(name)) for name in names), default=0)
    best: dict[str, tuple[str, ...]] = {}
    for depth in range(1, deepest):
        found = _gathered((_prefix(name, depth), name) for name in names)
        if len(best) < len(found) < len(names) and len(found) <= _MOST_PREFIXES:
            best = found
    hierarchical = sum(len(_PART.findall(name)) > 1 for name in names)
    if len(best) < 2 or 2 * hierarchical < len(names):
        others = ", ".join(level for level in Level if level is not Level.PREFIX)
        msg = (
            f"level 'prefix' makes no units of these {len(names)} groups: {hierarchical} of their names have parts "
            f"separated by '/', '.' or ':', and no number of parts makes 2 to {min(_MOST_PREFIXES, len(names) - 1)} "
            f"units (the first group is {names[0] if names else None!r}); choose one of {others}."
        )
        raise PlanError(msg)
    return best


def _named(found: Sequence[tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Blocks by name."""
    # Number of blocks that have a group whose name begins with these parts.
    owners: dict[str, set[int]] = {}
    for number, names in enumerate(found):
        for name in names:
            for depth in range(1, len(_PART.findall(name)) + 1):
                owners.setdefault(_prefix(name, depth), set()).add(number)

    def title(names: tuple[str, ...]) -> str:
        depth = len(_PART.findall(names[0]))
        while depth and len({_prefix(name, depth) for name in names}) > 1:
            depth -= 1
        common = _prefix(names[0], depth) if depth else names[0]
        return common if len(owners[common]) == 1 else names[0]

    return {title(names): names for names in found}
