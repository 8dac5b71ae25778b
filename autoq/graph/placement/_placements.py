"""Placement under every choice that moves quantizers: the ignored scope and the preset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import openvino as ov

from autoq.core import PlanError, Precision, Preset, nearest
from autoq.graph.operations import BodyKey, IgnoredScope, QuantizationGraph
from autoq.graph.placement._analyze import analyze_presets

NO_SCOPE = "none"
_NOTHING = QuantizationGraph(sites=(), groups=(), layers=(), decisions=())


@dataclass(frozen=True)
class Placements:
    """The graphs of one model that plans choose among.

    Attributes:
        reference: Names the groups that plans speak of: nothing ignored, preset "performance"; and those of operations
            that are quantized under other presets or scopes only, whose sites are not among its own.
        variants: Graph by the name of the ignored scope and the preset.
        mode: What is quantized to.
    """

    reference: QuantizationGraph
    variants: Mapping[tuple[str, Preset], QuantizationGraph]
    mode: Precision = Precision.INT8

    @classmethod
    def of(
        cls,
        model: ov.Model,
        scopes: Mapping[str, IgnoredScope | None] | None = None,
        *,
        mode: Precision = Precision.INT8,
        **settings: Any,  # the other parameters of `analyze_presets`
    ) -> Placements:
        """Analyzes a model under every scope and preset.

        Args:
            model: The float model; never modified.
            scopes: Ignored scope by name; "none" is the one that groups are named by, and ignores nothing by default.
            mode: What is quantized to.
            **settings: Further parameters of `analyze_presets`.

        Raises:
            PlanError: A scope names something that the model does not have.
        """
        every = {NO_SCOPE: None} | dict(scopes or {})
        variants = {
            (name, preset): graph
            for name, scope in every.items()
            for preset, graph in analyze_presets(model, Preset, mode=mode, ignored_scope=scope, **settings).items()
        }
        return cls(_with_groups_of(variants[NO_SCOPE, Preset.PERFORMANCE], variants.values()), variants, mode)

    def __iter__(self) -> Iterator[QuantizationGraph]:
        return iter(self.variants.values())

    @property
    def bodies(self) -> frozenset[BodyKey]:
        """Bodies in which something is quantized under some scope and preset."""
        return frozenset(key for graph in self for key in graph.bodies)

    def of_body(self, key: BodyKey) -> Placements:
        """Placement inside of a body."""
        variants = {choice: graph.bodies.get(key, _NOTHING) for choice, graph in self.variants.items()}
        return Placements(
            _with_groups_of(variants[NO_SCOPE, Preset.PERFORMANCE], variants.values()), variants, self.mode
        )

    def under(self, scope: str, preset: Preset) -> QuantizationGraph:
        """The graph that a recipe asks for.

        Raises:
            PlanError: The scope is not defined.
        """
        if (scope, preset) not in self.variants:
            known = sorted({name for name, _ in self.variants})
            msg = f"plan names the ignored scope {scope!r}, which is not defined: {nearest(scope, known)}"
            raise PlanError(msg)
        return self.variants[scope, preset]

    def standing(self, scope: str, preset: Preset) -> QuantizationGraph:
        """The reference, with those of its groups alone that a recipe quantizes something of.

        Raises:
            PlanError: The scope is not defined.
        """
        ops = {op for group in self.under(scope, preset).groups for op in group.ops}
        groups = tuple(group for group in self.reference.groups if not ops.isdisjoint(group.ops))
        return replace(self.reference, groups=groups)


def _with_groups_of(graph: QuantizationGraph, others: Iterable[QuantizationGraph]) -> QuantizationGraph:
    """The graph with the groups of others besides that have no operation in common with its own.

    A quantizer is left out where the one before it does the same, which a preset may change for one of the two: what
    only it quantizes must have a group too, or no plan could leave it in float.
    """
    groups, known = list(graph.groups), len(graph.groups)
    held = {op for group in groups for op in group.ops}
    for group in (group for other in others for group in other.groups):
        if held.isdisjoint(group.ops):
            groups.append(group)
            held.update(group.ops)
    if len(groups) == known:
        return graph
    order = {decision.op: position for position, decision in enumerate(graph.decisions)}
    # Results, which have quantizers too where outputs are quantized, have no decision: they come last.
    return replace(graph, groups=tuple(sorted(groups, key=lambda group: order.get(group.name, len(order)))))
