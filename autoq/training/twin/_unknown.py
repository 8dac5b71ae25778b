"""Operations that the twin does not know."""

from __future__ import annotations

from collections import defaultdict

import openvino as ov

from autoq.core import ModelError

_SHOWN = 3


class UnknownOperationError(ModelError):
    """A model has operations that PyTorch does not compute here; the message names types, places and what to do."""


def check_known(unknown: list[ov.Node]) -> None:
    """Refuses operations that have no row in the table.

    Args:
        unknown: These operations.

    Raises:
        UnknownOperationError: There are some.
    """
    if not unknown:
        return
    places: dict[str, list[str]] = defaultdict(list)
    for op in unknown:
        kind = op.get_type_name()
        version = op.get_type_info().version_id
        places[f"{kind} ({version})"].append(op.get_friendly_name())
    told = []
    for kind, names in sorted(places.items()):
        shown = ", ".join(repr(name) for name in names[:_SHOWN])
        rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        told.append(f"{len(names)} x {kind}: {shown}{rest}")
    msg = (
        f"the model has operations that no function of PyTorch stands for here: {'; '.join(told)}. Train the part "
        "before or behind them: make an ov.Model that ends at their inputs, or begins at their outputs."
    )
    raise UnknownOperationError(msg)
