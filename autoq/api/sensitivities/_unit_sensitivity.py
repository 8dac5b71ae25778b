"""The sensitivity of one unit of a model, and of all units for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from autoq.core import DistortionMeasure, brief_repr


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSensitivity:
    """One unit of a model: a group of quantizers that must share a precision, several groups, or a group of channels.

    Attributes:
        unit: Name of the unit.
        groups: Names of its groups.
        ops: Unique names of the operations that it quantizes, group by group.
        types: The OpenVINO types of these operations, each once.
        distortion: Distortion of the model's outputs with this unit alone quantized; infinite where the device fails.
        share: Distortion as a share of that of the whole quantized model. Shares of all units need not add up to 1.
        left: Predicted share of the whole distortion with this unit and all more sensitive units in float.
        gain: Expected fall of the latency ratio with this unit quantized; None where it was not measured.
        others: Distortion by each further precision that was asked for.
    """

    unit: str
    groups: tuple[str, ...]
    ops: tuple[str, ...]
    types: tuple[str, ...]
    distortion: float
    share: float
    left: float
    gain: float | None
    others: Mapping[str, float] = field(default_factory=dict)

    __repr__ = brief_repr


class MeasuredUnits(Protocol):
    """The part of a `SensitivityReport` that people are shown."""

    @property
    def units(self) -> Sequence[UnitSensitivity]:
        """All units, most sensitive first."""

    @property
    def whole(self) -> float:
        """Distortion with every unit quantized."""

    @property
    def cut_to(self) -> float | None:
        """Share of its channels that a unit keeps; None where units are quantized."""

    @property
    def inferences(self) -> int:
        """Upper bound of the number of forward passes."""

    @property
    def measure(self) -> DistortionMeasure:
        """Measure of the distortions."""


def what_is_done(report: MeasuredUnits) -> str:
    """What a unit is measured with: "quantized"."""
    return "quantized" if report.cut_to is None else f"cut to {report.cut_to:g} of the channels"


def how_it_is_spared(report: MeasuredUnits) -> str:
    """How a unit is that is left alone: "in float"."""
    return "in float" if report.cut_to is None else "whole"
