"""How sensitive one unit of a model is, and what is shown of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from autoq.core import DistortionMeasure, brief_repr


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSensitivity:
    """One unit of a model: a group of quantizers that must share a precision, or several.

    Attributes:
        unit: Its name.
        groups: Names of its groups.
        ops: Unique names of the operations that it quantizes, group by group.
        types: Their OpenVINO types, each once.
        distortion: Of the model's outputs where it alone is quantized; infinite where the device fails to run that.
        share: Of the distortion of the whole model quantized. Those of all units need not add up to 1.
        left: Share of that distortion that is predicted to be left where this unit and all that are more sensitive stay
            in float.
        gain: By how much the latency ratio should fall where it is quantized; None where that was not measured.
    """

    unit: str
    groups: tuple[str, ...]
    ops: tuple[str, ...]
    types: tuple[str, ...]
    distortion: float
    share: float
    left: float
    gain: float | None

    __repr__ = brief_repr


class MeasuredUnits(Protocol):
    """What a person is shown of a `SensitivityReport`."""

    @property
    def units(self) -> Sequence[UnitSensitivity]:
        """All units, most sensitive first."""

    @property
    def whole(self) -> float:
        """Distortion with every unit quantized."""

    @property
    def inferences(self) -> int:
        """Forward passes that it took at most."""

    @property
    def measure(self) -> DistortionMeasure:
        """Of the distortions."""
