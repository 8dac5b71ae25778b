"""Names that identify an operation: friendly names, made unique, the same in a model and in its clone."""

from __future__ import annotations

from collections import Counter

import openvino as ov


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
