"""The builder of candidates, as a search needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import openvino as ov

from autoq.core import Plan, Precision, Recipe


class Resolved(Protocol):
    """Facts about a candidate that need no building."""

    @property
    def fingerprint(self) -> str:
        """Equal for plans that build the same model; "float" for the float model."""

    @property
    def quantized_sites(self) -> int:
        """Number of quantizers."""


class PlanBuilder(Protocol):
    """Makes the models that plans stand for."""

    def resolve(self, plan: Plan) -> Resolved:
        """Facts about the model of a plan, without building it."""

    def fingerprint(self, plan: Plan) -> str:
        """Fingerprint of the model of a plan."""

    def build(self, plan: Plan) -> ov.Model:
        """The model that a plan stands for; a new one at each call."""

    @property
    def unswitchable(self) -> frozenset[str]:
        """Groups that `build_switchable` leaves in float."""

    def build_switchable(
        self, recipe: Recipe, units: Sequence[Sequence[str]], precision: Precision | None = None
    ) -> ov.Model:
        """A model with an input that switches each unit between quantized and float."""
