"""Unique names of operations: friendly names, made unique. They are the same in a model and in its clone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import openvino as ov

# What is put behind the name of a reduction whose shape another operation gives, which has its name.
REDUCED = "/reduced"
# What is put behind the name of a convolution for the sum that keeps others apart from it.
APART = "/apart"

_GIVEN = "autoq_given_name"
# Inputs and outputs keep the names that users know; constants are named by their readers.
_KEEP_THEIR_NAMES = frozenset({"Parameter", "Result", "Constant"})


def unique_names(model: ov.Model) -> dict[str, ov.Node]:
    """Unique name -> operation, in topological order.

    A friendly name that occurs once is kept; its second occurrence in topological order becomes `name#2`, and so on.
    `ov.Model.clone` keeps friendly names and order, so a clone has the same unique names.
    """
    seen: Counter[str] = Counter()
    named: dict[str, ov.Node] = {}
    for op in model.get_ordered_ops():
        name = op.get_friendly_name()
        seen[name] += 1
        unique = name if seen[name] == 1 else f"{name}#{seen[name]}"
        while unique in named:
            unique += "#"
        named[unique] = op
    return named


def made_names(model: ov.Model) -> frozenset[str]:
    """Friendly names that OpenVINO made of a type and a number; the number differs each time a model is built."""
    return frozenset(
        op.get_friendly_name() for op in model.get_ordered_ops() if op.get_friendly_name() == op.get_name()
    )


def name_by_place(model: ov.Model, made: Collection[str]) -> None:
    """Gives operations with names that OpenVINO made a name by type and place: "MatMul#2".

    Args:
        model: The model; it is changed.
        made: Further names of this kind, beside those of new operations.
    """
    seen: Counter[str] = Counter()
    for op in model.get_ordered_ops():
        kind, name = op.get_type_name(), op.get_friendly_name()
        seen[kind] += 1
        if kind not in _KEEP_THEIR_NAMES and (name in made or name == op.get_name()):
            op.get_rt_info()[_GIVEN] = name
            op.set_friendly_name(f"{kind}#{seen[kind]}")


def given_names(model: ov.Model) -> dict[str, str]:
    """Unique name by OpenVINO's former name, for operations that were named by their place."""
    infos = {name: op.get_rt_info() for name, op in unique_names(model).items()}
    return {str(info[_GIVEN].value): name for name, info in infos.items() if _GIVEN in info}
