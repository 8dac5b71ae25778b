"""A measured number and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point and the ends of its confidence interval, in the unit of what was measured.

    Attributes:
        value: The point estimate.
        low: Lower end of the interval.
        high: Upper end of the interval.
        confidence: Nominal coverage of the interval.
    """

    value: float
    low: float
    high: float
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            msg = f"an estimate must lie within its interval, but got {self.low=}, {self.value=}, {self.high=}."
            raise ValueError(msg)

    def below(self, other: Estimate) -> bool:
        """True where this interval lies wholly below the other's."""
        return self.high < other.low

    def format(self, spec: str = ".3f") -> str:
        """`value [low, high]` with a format specification for each number."""
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"
