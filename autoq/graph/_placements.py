"""Placement under every choice that moves quantizers: the ignored scope and the preset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import openvino as ov

from autoq.core import PlanError, Precision, Preset, nearest
from autoq.graph._analyze import analyze
from autoq.graph._scope import IgnoredScope
from autoq.graph._types import QuantizationGraph

NO_SCOPE = "none"


@dataclass(frozen=True)
class Placements:
    """The graphs of one model that plans choose among.

    Attributes:
        reference: Names the groups that plans speak of: nothing ignored, preset "performance".
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
        **settings: Any,  # the other parameters of `analyze`
    ) -> Placements:
        """Analyzes a model under every scope and preset.

        Args:
            model: The float model; never modified.
            scopes: Ignored scope by name; "none" is the one that groups are named by, and ignores nothing by default.
            mode: What is quantized to.
            **settings: Further parameters of `analyze`.

        Raises:
            PlanError: A scope names something that the model does not have.
        """
        every = {NO_SCOPE: None} | dict(scopes or {})
        variants = {
            (name, preset): analyze(model, preset=preset, mode=mode, ignored_scope=scope, **settings)
            for name, scope in every.items()
            for preset in Preset
        }
        return cls(variants[NO_SCOPE, Preset.PERFORMANCE], variants, mode)

    def __iter__(self) -> Iterator[QuantizationGraph]:
        return iter(self.variants.values())

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
