"""The report of parts of a model that were each measured alone: weights, or groups of channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoq.api.sensitivities._sensitivity_report import SensitivityReport
from autoq.api.sensitivities._unit_sensitivity import UnitSensitivity
from autoq.core import DistortionMeasure
from autoq.graph import IgnoredScope


@dataclass(frozen=True, slots=True)
class MeasuredPart:
    """A part, and what the outputs lose with it alone.

    Attributes:
        ops: Names of its operations.
        types: Their types, each once.
        distortions: Distortion by what was done to it; the first one is what the report is about.
    """

    ops: tuple[str, ...]
    types: tuple[str, ...]
    distortions: Mapping[str, float]

    @property
    def first(self) -> float:
        """The distortion that the report is about."""
        return next(iter(self.distortions.values()))


def report_of_parts(
    parts: Mapping[str, MeasuredPart],
    *,
    whole: float,
    inferences: int,
    measure: DistortionMeasure,
    scope: IgnoredScope | None,
    cut_to: float | None = None,
) -> SensitivityReport:
    """The report, the most sensitive part first. What is left follows from the sum of the parts.

    Args:
        parts: The parts by name.
        whole: Distortion with all of them.
        inferences: Number of forward passes.
        measure: Measure of the distortions.
        scope: What was left alone.
        cut_to: Share of its channels that a part keeps; None where channels stay.
    """
    added, units, above = sum(part.first for part in parts.values()), [], 0.0
    for name, part in sorted(parts.items(), key=lambda item: -item[1].first):
        above += part.first
        units.append(
            UnitSensitivity(
                unit=name,
                groups=(),
                ops=part.ops,
                types=part.types,
                distortion=part.first,
                share=part.first / whole if whole > 0 else 0.0,
                left=max(1 - above / added, 0.0) if added > 0 else 0.0,
                gain=None,
                others=dict(list(part.distortions.items())[1:]),
            )
        )
    return SensitivityReport(
        units=tuple(units),
        interactions={},
        whole=whole,
        inferences=inferences,
        measure=measure,
        scope=scope,
        place=None,
        cut_to=cut_to,
    )
