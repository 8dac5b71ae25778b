"""A measured number and how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist


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

    @classmethod
    def unknown(cls, value: float) -> Estimate:
        """A point about whose error nothing is known."""
        return cls(value, -math.inf, math.inf)

    @property
    def known(self) -> bool:
        """Whether the interval has two ends."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def sd(self) -> float:
        """Standard deviation of the normal distribution whose interval is as wide; 0 where no interval is known."""
        if not self.known:
            return 0.0
        return (self.high - self.low) / (2 * NormalDist().inv_cdf((1 + self.confidence) / 2))

    def below(self, other: Estimate) -> bool:
        """True where this interval lies wholly below the other's."""
        return self.high < other.low

    def minus(self, other: Estimate) -> Estimate:
        """The difference of two estimates that are independent.

        The ends lie as far from the value as both intervals' ends on that side together: the root of the sum of squares
        of the distances (MOVER: Zou and Donner, Statistics in Medicine 27, 2008).

        Raises:
            ValueError: The intervals are not of the same confidence.
        """
        if self.confidence != other.confidence:
            msg = f"intervals of one confidence are needed, but got {self.confidence=} and {other.confidence=}."
            raise ValueError(msg)
        value = self.value - other.value
        below = math.hypot(self.value - self.low, other.high - other.value)
        above = math.hypot(self.high - self.value, other.value - other.low)
        return Estimate(value, value - below, value + above, self.confidence)

    def format(self, spec: str = ".3f") -> str:
        """`value [low, high]` with a format specification for each number; the value alone where that is all."""
        if not self.known:
            return f"{self.value:{spec}} (interval unknown)"
        if self.low == self.high:
            return f"{self.value:{spec}}"
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"
