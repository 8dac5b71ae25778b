"""What a user wants left in float."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from autoq.core import PlanError, nearest


@dataclass(frozen=True, slots=True)
class Subgraph:
    """Everything on a way from the inputs to the outputs, both included.

    Attributes:
        inputs: Names of operations.
        outputs: Names of operations.
    """

    inputs: Sequence[str]
    outputs: Sequence[str]

    def __post_init__(self) -> None:
        _freeze(self, "inputs", "outputs")


@dataclass(frozen=True, slots=True)
class IgnoredScope:
    """Operations that stay in float.

    Attributes:
        names: Exact names.
        patterns: Regular expressions, anchored at the start of the name.
        types: OpenVINO types.
        subgraphs: Sub-graphs by their inputs and outputs.
        validate: Whether a rule that matches nothing is an error.
    """

    names: Sequence[str] = ()
    patterns: Sequence[str] = ()
    types: Sequence[str] = ()
    subgraphs: Sequence[Subgraph] = ()
    validate: bool = True

    def __post_init__(self) -> None:
        _freeze(self, "names", "patterns", "types", "subgraphs")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote; absent keys keep their default.

        Raises:
            PlanError: A key is unknown.
        """
        known = [f.name for f in fields(cls)]
        for key in values:
            if key not in known:
                msg = f"ignored scope: key {key!r} is unknown: {nearest(key, known)}"
                raise PlanError(msg)
        subgraphs = [Subgraph(s["inputs"], s["outputs"]) for s in values.get("subgraphs", ())]
        return cls(**{**values, "subgraphs": subgraphs})

    def to_dict(self) -> dict[str, Any]:
        """The scope as plain values."""
        return asdict(self)

    def resolve(self, types: Mapping[str, str], readers: Mapping[str, Iterable[str]]) -> dict[str, str]:
        """The operations that the scope names, each with the rule that names it.

        Args:
            types: Type by operation.
            readers: Direct readers by operation.

        Raises:
            PlanError: A rule matches nothing, and `validate` is set; or a pattern is no regular expression.
        """
        found: dict[str, str] = {}
        for name in self.names:
            self._take(found, [name] if name in types else [], "name", name, types)
        for pattern in self.patterns:
            try:
                expression = re.compile(pattern)
            except re.error as error:
                msg = f"ignored scope: pattern {pattern!r} is not a regular expression: {error}."
                raise PlanError(msg) from None
            self._take(found, [name for name in types if expression.match(name)], "pattern", pattern, types)
        for kind in self.types:
            self._take(found, [n for n, t in types.items() if t == kind], "type", kind, set(types.values()))
        for subgraph in self.subgraphs:
            for name in (*subgraph.inputs, *subgraph.outputs):
                self._take({}, [name] if name in types else [], "subgraph end", name, types)
            between = _between(subgraph, readers)
            ends = f"{', '.join(subgraph.inputs)} -> {', '.join(subgraph.outputs)}"
            self._take(found, between, "subgraph", ends, ())
        return found

    def _take(self, found: dict[str, str], matches: Sequence[str], kind: str, rule: str, known: Iterable[str]) -> None:
        if not matches and self.validate:
            hint = f" {nearest(rule, known)}" if kind != "subgraph" else ""
            msg = f"ignored scope: {kind} {rule!r} matches no operation of the model.{hint}"
            raise PlanError(msg)
        for name in matches:
            found.setdefault(name, f"ignored by {kind} {rule!r}")


def _freeze(owner: object, *names: str) -> None:
    """Makes tuples of sequences, so that their owner can be hashed; a single string is not a sequence of names."""
    for name in names:
        value = getattr(owner, name)
        if isinstance(value, str):
            msg = f"ignored scope: {name} must be a list, got the string {value!r}: write [{value!r}]."
            raise PlanError(msg)
        object.__setattr__(owner, name, tuple(value))


def _between(subgraph: Subgraph, readers: Mapping[str, Iterable[str]]) -> list[str]:
    """Descendants of the inputs that are ancestors of the outputs: linear in the size of the model."""
    writers: dict[str, list[str]] = {}
    for name, targets in readers.items():
        for target in targets:
            writers.setdefault(target, []).append(name)
    forward = _reachable(subgraph.inputs, readers)
    backward = _reachable(subgraph.outputs, writers)
    return [name for name in readers if name in forward and name in backward]


def _reachable(starts: Iterable[str], step: Mapping[str, Iterable[str]]) -> set[str]:
    seen: set[str] = set()
    stack = list(starts)
    while stack:
        name = stack.pop()
        if name not in seen:
            seen.add(name)
            stack.extend(step.get(name, ()))
    return seen
