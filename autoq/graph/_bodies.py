"""Models inside of models: the two bodies of an If operation, each of which runs for some inputs only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import openvino as ov

from autoq.graph._flow import Flow
from autoq.graph._names import unique_names
from autoq.graph._scope import IgnoredScope


@dataclass(frozen=True, slots=True)
class Body:
    """One branch of an If.

    Attributes:
        op: The If operation.
        branch: 0 runs where the condition holds, 1 where it does not.
        model: What runs; not to be modified.
    """

    op: str
    branch: int
    model: ov.Model


def if_bodies(model: ov.Model) -> Iterator[Body]:
    """The bodies of a model's own If operations, those inside of bodies left out."""
    for name, op in unique_names(model).items():
        if op.get_type_name() == "If":
            yield from (Body(name, branch, op.get_function(branch)) for branch in (0, 1))


def check_scope(model: ov.Model, scope: IgnoredScope) -> None:
    """Checks that every rule of a scope matches something in a model or its bodies.

    Raises:
        PlanError: One does not.
    """
    types: dict[str, str] = {}
    readers: dict[str, frozenset[str]] = {}
    pending = [model]
    while pending:
        part = pending.pop()
        types |= {name: op.get_type_name() for name, op in unique_names(part).items()}
        readers |= Flow.of(part).readers
        pending += [body.model for body in if_bodies(part)]
    scope.resolve(types, readers)
