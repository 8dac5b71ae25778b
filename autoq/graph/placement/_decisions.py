"""The reasons why operations are quantized or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autoq.graph.flow import Flow, Match
from autoq.graph.operations import BodyKey, Decision, QuantizerGroup, operation

_SILENT = frozenset({"Parameter", "Result", "Constant"})


def explain(
    flow: Flow,
    fused: Iterable[Match],
    floats: Mapping[str, str],
    groups: Iterable[QuantizerGroup],
    bodies: Iterable[BodyKey] = (),
) -> tuple[Decision, ...]:
    """One decision for each operation that is not a constant, a parameter or a result, in topological order.

    Args:
        flow: The model.
        fused: The matches that the runtime fuses.
        floats: Operations that stay in float, with reasons.
        groups: Groups of quantizers.
        bodies: Bodies in which something is quantized.
    """
    quantized = {op for group in groups for op in group.ops}
    containers = {op for op, _ in bodies}
    inside = {op: match for match in fused for op in match.ops[1:]}

    def reason(name: str, kind: str) -> str:
        match, row = inside.get(name), operation(kind)
        rules = (
            (match, match and f"runs fused into {match.ops[0]!r} ({match.pattern.name})"),
            (name in floats, floats.get(name)),
            (name in quantized, "runs on quantized inputs"),
            (kind == "FakeQuantize", "is a quantizer of the model's own"),
            (name not in flow.type, "computes a shape or a constant"),
            (name in containers, "what is inside of it is quantized"),
            (row.has_bodies, "nothing inside of it can be quantized"),
            (row.moves, "only moves values: quantizers pass through it"),
            (not row.quantized, f"{kind} has no int8 kernel"),
            (not any(edge.is_float for edge in flow.in_edges.get(name, ())), "has no float input"),
            (True, "a quantizer here would serve no int8 kernel"),
        )
        return next(str(text) for applies, text in rules if applies)

    types = {name: op.get_type_name() for name, op in flow.nodes.items()}
    head = {op: match.ops[0] for op, match in inside.items()}
    return tuple(
        Decision(name, kind, name in quantized, reason(name, kind), head.get(name))
        for name, kind in types.items()
        if kind not in _SILENT
    )
