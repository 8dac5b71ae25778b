"""Ignored scopes: the operations that a user wants to leave in float."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any, Self

from autoq.core import PlanError, brief_repr, known_keys, nearest, quoted

_KINDS = ("names", "patterns", "types", "subgraphs")


@dataclass(frozen=True, slots=True)
class Subgraph:
    """All operations on paths from the inputs to the outputs, with both.

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

    __repr__ = brief_repr

    def __post_init__(self) -> None:
        _freeze(self, "names", "patterns", "types")
        _freeze(self, "subgraphs", of=Subgraph)

    @classmethod
    def of(cls, value: Any) -> IgnoredScope | None:  # several kinds
        """A scope as a user writes it.

        Args:
            value: A scope of autoq or of another library, with the same attributes or some of them; a mapping of these;
                names of operations, or a single name; None ignores nothing.

        Raises:
            PlanError: The value is none of these.
        """
        if value is None or isinstance(value, IgnoredScope):
            return value
        if isinstance(value, str):
            return cls(names=(value,))
        if isinstance(value, Mapping):
            return cls.from_dict(value)
        if any(hasattr(value, kind) for kind in _KINDS):
            given = {kind: tuple(getattr(value, kind, ()) or ()) for kind in _KINDS}
            subgraphs = tuple(Subgraph(ends.inputs, ends.outputs) for ends in given.pop("subgraphs"))
            return cls(**given, subgraphs=subgraphs, validate=bool(getattr(value, "validate", True)))
        if isinstance(value, Iterable):
            names = tuple(value)
            if all(isinstance(name, str) for name in names):
                return cls(names=names)
        more = "pass an IgnoredScope, a mapping of its fields, or names of operations."
        msg = f"ignored scope is {quoted(value)}: {more}"
        raise PlanError(msg)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote; absent keys keep their default.

        Raises:
            PlanError: A key is unknown.
        """
        values = known_keys(values, [f.name for f in fields(cls)], "ignored scope:")
        subgraphs = [_subgraph(ends) for ends in _items(values.get("subgraphs", ()), "subgraphs")]
        return cls(**{**values, "subgraphs": subgraphs})

    def to_dict(self) -> dict[str, Any]:
        """The scope as plain values."""
        return asdict(self)

    def renamed(self, names: Mapping[str, str]) -> IgnoredScope:
        """The scope with new names for some operations; `names` maps former names to new ones."""
        subgraphs = tuple(
            Subgraph([names.get(end, end) for end in part.inputs], [names.get(end, end) for end in part.outputs])
            for part in self.subgraphs
        )
        return replace(self, names=tuple(names.get(name, name) for name in self.names), subgraphs=subgraphs)

    def resolve(self, types: Mapping[str, str], readers: Mapping[str, Iterable[str]]) -> dict[str, str]:
        """The ignored operations, each with the rule that names it.

        Args:
            types: Type by operation.
            readers: Direct readers by operation.

        Raises:
            PlanError: A rule matches nothing although `validate` is set, or a pattern is no regular expression.
        """
        found: dict[str, str] = {}
        for rule in self._rules(types, readers):
            if not rule.matches and self.validate:
                msg = f"ignored scope: {rule.kind} {rule.text!r} matches no operation of the model: {rule.hint()}"
                raise PlanError(msg)
            if rule.kind != _END:
                for name in rule.matches:
                    found.setdefault(name, f"ignored by {rule.kind} {rule.text!r}")
        return found

    def _rules(self, types: Mapping[str, str], readers: Mapping[str, Iterable[str]]) -> Iterator[_ScopeRule]:
        ends = [name for subgraph in self.subgraphs for name in (*subgraph.inputs, *subgraph.outputs)]
        for kind, names in (("name", self.names), (_END, ends)):
            for name in names:
                yield _ScopeRule(kind, name, [name] * (name in types), partial(_nearest_names, name, types))
        for pattern in self.patterns:
            try:
                expression = re.compile(pattern)
            except (re.error, RecursionError, OverflowError) as error:
                msg = f"ignored scope: pattern {quoted(pattern)} is not a regular expression: {error}."
                raise PlanError(msg) from None
            matches = [name for name in types if expression.match(name)]
            yield _ScopeRule("pattern", pattern, matches, partial(_nearest_to_pattern, expression, types))
        for kind in self.types:
            matches = [name for name, found in types.items() if found == kind]
            yield _ScopeRule("type", kind, matches, partial(nearest, kind, types.values()))
        for subgraph in self.subgraphs:
            text = f"{', '.join(subgraph.inputs)} -> {', '.join(subgraph.outputs)}"
            yield _ScopeRule(
                "subgraph", text, _between(subgraph, readers), lambda: "no data flow from its inputs to its outputs."
            )


_END = "subgraph end"


@dataclass(frozen=True, slots=True)
class _ScopeRule:
    """A rule of a scope, its matches, and a hint if there are none."""

    kind: str
    text: str
    matches: Sequence[str]
    hint: Callable[[], str]


def _telling(types: Mapping[str, str]) -> list[str]:
    """Names that a user may have meant, without those of constants, converted constants and the model's outputs."""
    return [name for name, kind in types.items() if kind not in {"Constant", "Convert", "Result"}]


def _nearest_names(name: str, types: Mapping[str, str]) -> str:
    return nearest(name, _telling(types))


def _nearest_to_pattern(pattern: re.Pattern[str], types: Mapping[str, str]) -> str:
    """A hint: names that the pattern would match later than at their start, otherwise names that look like it."""
    names = _telling(types)
    if within := [name for name in names if pattern.search(name)]:
        more = f" and {len(within) - 1} more" if len(within) > 1 else ""
        return f"it must match from the start of a name; {'.*' + pattern.pattern!r} matches {within[0]!r}{more}."
    literal = re.sub(r"\\(.)|[^\w/.:#-]", r"\1", pattern.pattern)
    return nearest(literal, names, cutoff=0.3)


def _freeze(owner: object, *names: str, of: type = str) -> None:
    """Turns sequences into tuples, so that the scope can be hashed. A single string is not a sequence of names."""
    for name in names:
        value = _items(getattr(owner, name), name)
        if wrong := [item for item in value if not isinstance(item, of)]:
            msg = f"ignored scope: {name} holds {quoted(wrong[0])}: it must be a list of texts."
            raise PlanError(msg)
        object.__setattr__(owner, name, value)


def _items(value: object, name: str) -> tuple[Any, ...]:
    if isinstance(value, str):
        msg = f"ignored scope: {name} must be a list, got the string {quoted(value)}: write [{quoted(value)}]."
        raise PlanError(msg)
    if not isinstance(value, Iterable):
        msg = f"ignored scope: {name} is {quoted(value)}: it must be a list."
        raise PlanError(msg)
    return tuple(value)


def _subgraph(values: object) -> Subgraph:
    ends = known_keys(values, ("inputs", "outputs"), "ignored scope: sub-graph")
    return Subgraph(ends.get("inputs", ()), ends.get("outputs", ()))


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
