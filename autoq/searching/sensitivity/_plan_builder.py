"""What a search asks of whoever makes candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import openvino as ov

from autoq.core import Plan, Precision, Recipe


class Resolved(Protocol):
    """What is known of a candidate before it is built."""

    @property
    def fingerprint(self) -> str:
        """Equal for plans that build the same model; "float" for the float model."""

    @property
    def quantized_sites(self) -> int:
        """Number of quantizers."""


class PlanBuilder(Protocol):
    """Makes the models that plans stand for."""

    def resolve(self, plan: Plan) -> Resolved:
        """What is known of a plan's model before it is built."""

    def fingerprint(self, plan: Plan) -> str:
        """Of a plan's model."""

    def build(self, plan: Plan) -> ov.Model:
        """The model that a plan stands for; a new one at each call."""

    @property
    def unswitchable(self) -> frozenset[str]:
        """Groups that `build_switchable` leaves in float."""

    def build_switchable(
        self, recipe: Recipe, units: Sequence[Sequence[str]], precision: Precision | None = None
    ) -> ov.Model:
        """A model, each of whose units is quantized or float as an input tells, as `CandidateBuilder` builds it."""
