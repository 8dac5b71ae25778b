"""Bodies: models inside operations, which are the branches of an If, or the repeated part of a loop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import openvino as ov

from autoq.graph.flow._flow import Flow
from autoq.graph.form import bodies
from autoq.graph.operations import BodyKey, IgnoredScope, given_names, unique_names


@dataclass(frozen=True, slots=True)
class Body:
    """A model inside an operation.

    Attributes:
        op: Unique name of the operation.
        branch: For an If, 0 runs if the condition holds, and 1 if not; 0 for other operations.
        model: The body; it must not be modified.
    """

    op: str
    branch: int
    model: ov.Model

    @property
    def key(self) -> BodyKey:
        """Operation and branch, which identify the body in the model."""
        return self.op, self.branch


def bodies_of(model: ov.Model) -> Iterator[Body]:
    """The bodies of a model's operations, without bodies inside bodies."""
    for name, op in unique_names(model).items():
        yield from (Body(name, branch, body) for branch, body in enumerate(bodies(op)))


def set_body(op: ov.Node, branch: int, model: ov.Model) -> None:
    """Replaces a body by a model with the same inputs and outputs.

    Args:
        op: The operation; it is changed.
        branch: As in `Body`.
        model: The new body.
    """
    if op.get_type_name() == "If":
        op.set_function(branch, model)
    else:
        op.set_function(model)


def check_scope(model: ov.Model, scope: IgnoredScope) -> None:
    """Checks that each rule of a scope matches something in a model or its bodies.

    Raises:
        PlanError: One does not.
    """
    types: dict[str, str] = {}
    readers: dict[str, frozenset[str]] = {}
    given: dict[str, str] = {}
    pending = [model]
    while pending:
        part = pending.pop()
        types |= {name: op.get_type_name() for name, op in unique_names(part).items()}
        readers |= Flow.of(part).readers
        given |= given_names(part)
        pending += [body.model for body in bodies_of(part)]
    scope.renamed(given).resolve(types, readers)
