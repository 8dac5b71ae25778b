"""Patterns: small sub-graphs that placement treats as one operation; and the matcher that finds them.

A pattern is a list of sets of types, and a list of edges between their indices; a chain needs no edges. The types are
those of the operations in topological order. The patterns are those of NNCF's OpenVINO backend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autoq.graph.flow._flow import Flow
from autoq.graph.operations import Family, of_family

ANY: frozenset[str] = frozenset()
LINEAR = of_family(Family.CONVOLUTION, Family.PRODUCT)
ARITHMETIC = of_family(Family.ARITHMETIC)
ELEMENTWISE = of_family(Family.ARITHMETIC, Family.ELEMENTWISE)
ACTIVATIONS = of_family(Family.ACTIVATION)
_BATCH_NORM = frozenset({"BatchNormInference"})
_SHIFT = frozenset({"Add", "Subtract", "Multiply"})


def _one(name: str) -> frozenset[str]:
    return frozenset({name})


@dataclass(frozen=True, slots=True)
class Pattern:
    """A sub-graph of operations.

    Attributes:
        name: Name of the pattern, for explanations.
        types: Allowed types of each node, in topological order; an empty set is any operation.
        edges: Pairs of node indices; a pair is repeated if a node reads another twice. None is a chain.
        outside: Nodes that must be there but do not belong to the match.
        spr: Whether it also holds for the target device CPU_SPR; it holds for all others.
    """

    name: str
    types: tuple[frozenset[str], ...]
    edges: tuple[tuple[int, int], ...] | None = None
    outside: frozenset[int] = frozenset()
    spr: bool = True

    @property
    def arcs(self) -> tuple[tuple[int, int], ...]:
        """Edges, also those of a chain."""
        return self.edges if self.edges is not None else tuple((i, i + 1) for i in range(len(self.types) - 1))


def _chain(name: str, *types: str | frozenset[str], spr: bool = True) -> Pattern:
    return Pattern(name, tuple(_one(t) if isinstance(t, str) else t for t in types), spr=spr)


_SCALE_SHIFT = ("Multiply", "Add")
_SHIFT_SCALE = (frozenset({"Add", "Subtract"}), frozenset({"Multiply", "Divide"}))

# The runtime fuses these patterns into one kernel: no quantizer may stand inside.
FUSED: tuple[Pattern, ...] = (
    # Normalisation of the input.
    *(
        _chain("input preprocessing", "Parameter", *lead, *tail)
        for lead in ((), ("Transpose",), ("Convert", "Transpose"))
        for tail in (
            (_SHIFT,),
            _SCALE_SHIFT,
            ("Split", "Concat", "Add"),
            ("Split", "Concat", *_SCALE_SHIFT),
        )
    ),
    _chain("input preprocessing", "Parameter", *_SHIFT_SCALE),
    # A weighted operation and what follows it.
    _chain("bias", LINEAR, "Add"),
    _chain("weighted operation with elementwise", LINEAR, ELEMENTWISE, spr=False),
    _chain("weighted operation with arithmetic", LINEAR, ARITHMETIC),
    Pattern("weighted operation combined with itself", (LINEAR, ARITHMETIC), ((0, 1), (0, 1))),
    _chain("weighted operation with bias and elementwise", LINEAR, "Add", ELEMENTWISE, spr=False),
    _chain("weighted operation with activation", LINEAR, ACTIVATIONS),
    _chain("weighted operation with arithmetic and activation", LINEAR, ARITHMETIC, ACTIVATIONS),
    _chain("weighted operation with activation and elementwise", LINEAR, ACTIVATIONS, ELEMENTWISE, spr=False),
    _chain(
        "weighted operation with bias, activation and elementwise", LINEAR, "Add", ACTIVATIONS, ELEMENTWISE, spr=False
    ),
    _chain("weighted operation with arithmetic around an activation", LINEAR, ARITHMETIC, ACTIVATIONS, ARITHMETIC),
    _chain("weighted operation with scale and shift", LINEAR, *_SCALE_SHIFT, spr=False),
    _chain("weighted operation with shift and scale", LINEAR, *_SHIFT_SCALE),
    _chain("weighted operation with bias, scale and shift", LINEAR, "Add", *_SCALE_SHIFT, spr=False),
    _chain("weighted operation with activation, scale and shift", LINEAR, ACTIVATIONS, *_SCALE_SHIFT, spr=False),
    _chain(
        "weighted operation with bias, activation, scale and shift",
        LINEAR,
        "Add",
        ACTIVATIONS,
        *_SCALE_SHIFT,
        spr=False,
    ),
    _chain("weighted operation with squeeze and activation", LINEAR, "Squeeze", ACTIVATIONS),
    _chain("weighted operation with squeeze, arithmetic and activation", LINEAR, "Squeeze", ARITHMETIC, ACTIVATIONS),
    _chain(
        "weighted operation with batch norm on an extra axis",
        *(LINEAR, "Add", ACTIVATIONS, "Unsqueeze", *_SCALE_SHIFT, "Squeeze"),
    ),
    _chain("weighted operation on batches in space", LINEAR, "BatchToSpace", *_SCALE_SHIFT, ACTIVATIONS),
    _chain("weighted operation on batches in space", LINEAR, "BatchToSpace", ARITHMETIC, ACTIVATIONS),
    # Normalisation and arithmetic.
    _chain("batch norm after activation", ACTIVATIONS, _BATCH_NORM),
    _chain("activation after batch norm", _BATCH_NORM, ACTIVATIONS),
    _chain("arithmetic with activation", ARITHMETIC, ACTIVATIONS),
    _chain("arithmetic around an activation", ARITHMETIC, ACTIVATIONS, ARITHMETIC),
    _chain("scale and shift", *_SCALE_SHIFT),
    _chain("shift and scale", *_SHIFT_SCALE),
    _chain("scale, shift and activation", *_SCALE_SHIFT, ACTIVATIONS),
    _chain("layer norm", "MVN", *_SCALE_SHIFT),
    _chain("layer norm with activation", "MVN", *_SCALE_SHIFT, ACTIVATIONS),
    _chain("scaled L2 norm", "NormalizeL2", "Multiply"),
    _chain("clamp and scale", "Clamp", "Multiply", spr=False),
    _chain("scaled output", "Add", *_SCALE_SHIFT, "Result"),
    _chain(
        "batch index",
        *("Subtract", "Multiply", "Multiply", "Add", "Unsqueeze", "Concat", "Concat", "Reshape", "Convolution"),
    ),
    # Activations that a framework spells out.
    Pattern(
        "hard swish",
        (LINEAR, _one("Add"), _one("Add"), _one("Clamp"), _one("Multiply"), _one("Multiply")),
        ((0, 1), (1, 2), (2, 3), (1, 4), (3, 4), (4, 5)),
    ),
    Pattern(
        "hard swish",
        (
            frozenset({"Add", "Multiply", "ReduceMean", "Squeeze"}),
            _one("Add"),
            _one("Clamp"),
            _one("Multiply"),
            _one("Multiply"),
        ),
        ((0, 1), (1, 2), (2, 3), (0, 4), (3, 4)),
    ),
    Pattern(
        "hard swish without its denominator",
        (LINEAR, _one("Add"), _one("Add"), _one("Clamp"), _one("Multiply")),
        ((0, 1), (1, 2), (2, 3), (1, 4), (3, 4)),
    ),
    Pattern(
        "swish",
        (LINEAR, _one("Add"), _one("HardSigmoid"), _one("Multiply")),
        ((0, 1), (1, 2), (1, 3), (2, 3)),
    ),
    Pattern(
        "softmax",
        (_one("Exp"), _one("ReduceSum"), _one("Power"), _one("Multiply")),
        ((0, 1), (1, 2), (0, 3), (2, 3)),
    ),
    Pattern("softmax", (_one("Exp"), _one("ReduceSum"), _one("Divide")), ((0, 1), (0, 2), (1, 2))),
)

# Left in float in every model.
IGNORED: tuple[Pattern, ...] = (
    Pattern(
        "squeeze-and-excitation block",
        (
            ANY,
            _one("ReduceMean"),
            LINEAR,
            _one("Add"),
            frozenset({"Relu", "PRelu", "Swish"}),
            LINEAR,
            _one("Add"),
            frozenset({"Sigmoid", "HSigmoid"}),
            _one("Multiply"),
        ),
        ((0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 8), (0, 8)),
        outside=frozenset({0, 1, 8}),
    ),
    _chain("batch norm on an extra axis", "Unsqueeze", "Multiply", "Add", "Squeeze"),
    _chain("comparison with zero", "Equal", "LogicalNot"),
)

_ATTENTION_VALUE = frozenset({"ReadValue", "Reshape", "Transpose", "Split", "Gather", "Squeeze", "Concat"})

# What is computed from positions: angles need all digits.
POSITIONS: tuple[Pattern, ...] = (
    Pattern(
        "rotary embedding",
        (_one("MatMul"), _one("Transpose"), _one("Concat"), _one("Cos"), _one("Sin")),
        ((0, 1), (1, 2), (1, 2), (2, 3), (2, 4)),
    ),
    Pattern(
        "rotary embedding",
        (_one("MatMul"), _one("Concat"), _one("Cos"), _one("Sin")),
        ((0, 1), (0, 1), (1, 2), (1, 3)),
    ),
    Pattern(
        "rotary embedding", (_one("MatMul"), _one("Transpose"), _one("Cos"), _one("Sin")), ((0, 1), (1, 2), (1, 3))
    ),
    Pattern(
        "positional encoding",
        (_one("MatMul"), _one("Multiply"), _one("Cos"), _one("Sin"), _one("Concat")),
        ((0, 1), (1, 2), (1, 3), (2, 4), (3, 4)),
    ),
)

# Left in float in a transformer.
IGNORED_IN_TRANSFORMER: tuple[Pattern, ...] = (
    Pattern(
        "attention output",
        (_one("Softmax"), _ATTENTION_VALUE, _one("MatMul")),
        ((0, 2), (1, 2)),
        spr=False,
    ),
    Pattern(
        "attention output",
        (_one("Softmax"), _one("Reshape"), _ATTENTION_VALUE, _one("MatMul")),
        ((0, 1), (1, 3), (2, 3)),
        spr=False,
    ),
    *POSITIONS,
)


@dataclass(frozen=True, slots=True)
class Match:
    """A place where a pattern was found.

    Attributes:
        pattern: The pattern.
        ops: Names of the operations, in topological order, without those outside the match.
    """

    pattern: Pattern
    ops: tuple[str, ...]


def find(flow: Flow, patterns: Iterable[Pattern]) -> list[Match]:
    """Finds non-overlapping matches, larger patterns first.

    A match must be closed: only its first nodes may have other producers, and only its last nodes may have other
    readers. It must be exact: its operations have no other edges between them than those of the pattern.
    """
    taken: set[str] = set()
    matches = []
    for pattern in sorted(patterns, key=lambda p: -len(p.types)):
        for nodes in _candidates(flow, pattern):
            ops = tuple(op for index, op in enumerate(nodes) if index not in pattern.outside)
            if taken.isdisjoint(ops) and _exact(flow, pattern, nodes) and _closed(flow, pattern, nodes):
                taken.update(ops)
                matches.append(Match(pattern, tuple(sorted(ops, key=flow.order.__getitem__))))
    return matches


def _candidates(flow: Flow, pattern: Pattern) -> Iterator[tuple[str, ...]]:
    """All assignments of operations to pattern nodes that respect types and edges."""
    before: Mapping[int, list[int]] = {i: [a for a, b in pattern.arcs if b == i] for i in range(len(pattern.types))}
    after: Mapping[int, list[int]] = {i: [b for a, b in pattern.arcs if a == i] for i in range(len(pattern.types))}

    def extend(assigned: dict[int, str]) -> Iterator[dict[int, str]]:
        if len(assigned) == len(pattern.types):
            yield assigned
            return
        # The next node is one with an assigned neighbour, so that it has few choices.
        node = next(
            i
            for i in range(len(pattern.types))
            if i not in assigned and (not assigned or any(j in assigned for j in before[i] + after[i]))
        )
        for op in _choices(flow, assigned, before[node], after[node], pattern.types[node]):
            if op not in assigned.values() and (not pattern.types[node] or flow.type[op] in pattern.types[node]):
                yield from extend({**assigned, node: op})

    for assigned in extend({}):
        yield tuple(assigned[i] for i in range(len(pattern.types)))


def _choices(
    flow: Flow, assigned: Mapping[int, str], before: Sequence[int], after: Sequence[int], types: Iterable[str]
) -> Iterable[str]:
    sets = [flow.readers[assigned[i]] for i in before if i in assigned]
    sets += [flow.producers[assigned[i]] for i in after if i in assigned]
    if not sets:
        found = [op for kind in types for op in flow.of_type.get(kind, ())] if types else flow.names
        return sorted(found, key=flow.order.__getitem__)
    return sorted(frozenset.intersection(*map(frozenset, sets)), key=flow.order.__getitem__)


def _exact(flow: Flow, pattern: Pattern, nodes: Sequence[str]) -> bool:
    inside = set(nodes)
    found = Counter((edge.source, op) for op in nodes for edge in flow.in_edges[op] if edge.source in inside)
    return found == Counter((nodes[a], nodes[b]) for a, b in pattern.arcs)


def _closed(flow: Flow, pattern: Pattern, nodes: Sequence[str]) -> bool:
    inside = set(nodes)
    first = {i for i in range(len(nodes)) if all(b != i for _, b in pattern.arcs)}
    last = {i for i in range(len(nodes)) if all(a != i for a, _ in pattern.arcs)}
    for index, op in enumerate(nodes):
        if not pattern.types[index]:
            continue
        other_readers = any(reader not in inside for reader in flow.readers[op])
        other_producers = any(producer not in inside for producer in flow.producers[op])
        if index in first:
            if other_readers:
                return False
        elif index in last:
            if other_producers:
                return False
        elif other_readers or other_producers:
            return False
    return True
