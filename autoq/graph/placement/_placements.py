"""Placement under all choices that move quantizers: the ignored scope and the preset."""

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
    """The graphs of one model among which plans choose.

    Attributes:
        reference: Graph with the groups of plans: those under preset "performance" with nothing ignored; and groups of
            operations that are quantized only under other presets or scopes, whose sites are not in this graph.
        variants: Graph by the name of the ignored scope and the preset.
        mode: Precision of quantizers.
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
            scopes: Ignored scope by name. "none" gives the names of groups, and ignores nothing by default.
            mode: Precision of quantizers.
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
        """Placement inside a body."""
        variants = {choice: graph.bodies.get(key, _NOTHING) for choice, graph in self.variants.items()}
        return Placements(
            _with_groups_of(variants[NO_SCOPE, Preset.PERFORMANCE], variants.values()), variants, self.mode
        )

    def named_as(self, whole: Placements) -> Placements:
        """The same places, for plans that name the groups of another model: they are found by their operations.

        Args:
            whole: Placement in the model that this one is a part of.
        """
        return replace(self, reference=replace(self.reference, groups=whole.reference.groups))

    def under(self, scope: str, preset: Preset) -> QuantizationGraph:
        """The graph for a scope and a preset.

        Raises:
            PlanError: The scope is not defined.
        """
        if (scope, preset) not in self.variants:
            known = sorted({name for name, _ in self.variants})
            msg = f"plan names the ignored scope {scope!r}, which is not defined: {nearest(scope, known)}"
            raise PlanError(msg)
        return self.variants[scope, preset]

    def standing(self, scope: str, preset: Preset) -> QuantizationGraph:
        """The reference with only those of its groups in which a recipe quantizes something.

        Raises:
            PlanError: The scope is not defined.
        """
        ops = {op for group in self.under(scope, preset).groups for op in group.ops}
        groups = tuple(group for group in self.reference.groups if not ops.isdisjoint(group.ops))
        return replace(self.reference, groups=groups)


def _with_groups_of(graph: QuantizationGraph, others: Iterable[QuantizationGraph]) -> QuantizationGraph:
    """The graph with further groups of other graphs, which share no operation with its own.

    A quantizer is left out if the one before it does the same. A preset may change one of the two, so that both are
    needed. Operations that only the second one quantizes must have a group too, or no plan could leave them in float.
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
    # Results have no decision, but have quantizers if outputs are quantized: they come last.
    return replace(graph, groups=tuple(sorted(groups, key=lambda group: order.get(group.name, len(order)))))
