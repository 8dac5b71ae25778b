"""A measured number and its confidence interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Self

from autoq.core.values._typed_values import typed
from autoq.core.values._values import mapping_of
from autoq.core.words import StoredFileError, gap, number_format


@dataclass(frozen=True, slots=True)
class Estimate:
    """A point estimate and the ends of its confidence interval, in the unit of the measured quantity.

    An unknown interval has infinite ends: it holds every value, so that it never proves anything.

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
        """A point estimate with an unknown interval."""
        return cls(value, -math.inf, math.inf)

    @property
    def known(self) -> bool:
        """Whether the interval is known: both of its ends are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def sd(self) -> float:
        """Standard deviation of a normal distribution with an interval of this width; infinite if it is unknown."""
        if not self.known:
            return math.inf
        return (self.high - self.low) / (2 * NormalDist().inv_cdf((1 + self.confidence) / 2))

    def below(self, other: Estimate) -> bool:
        """Whether this interval lies wholly below the other's."""
        return self.high < other.low

    def minus(self, other: Estimate) -> Estimate:
        """The difference of two independent estimates.

        The distance of each end from the value is the root of the sum of squares of both estimates' distances on that
        side (MOVER: Zou and Donner, Statistics in Medicine 27, 2008).

        Raises:
            ValueError: The intervals have different confidence.
        """
        if self.confidence != other.confidence:
            msg = f"the intervals must have the same confidence, but got {self.confidence=} and {other.confidence=}."
            raise ValueError(msg)
        value = self.value - other.value
        below = math.hypot(self.value - self.low, other.high - other.value)
        above = math.hypot(self.high - self.value, other.value - other.low)
        return Estimate(value, value - below, value + above, self.confidence)

    def shown(self, *, least: int = 4, sign: bool = False, beside: float | None = None) -> str:
        """`value [low, high]`, with enough digits for value and interval in any unit.

        Only the value if the interval has no width; "value (interval unknown)" if it is unknown.

        Args:
            least: Decimals of numbers that are neither small nor large.
            sign: Whether a plus is shown too.
            beside: A number that must look different from the value, such as a limit.
        """
        ends = (self.low, self.high) if self.known else (self.value, self.value)
        width = max(ends) - min(ends)
        # Without a visible interval, the value has two digits, however small it is.
        finest = min(width / 2 or abs(self.value) / 5 or math.inf, gap(self.value, beside))
        spec = number_format(max(map(abs, (self.value, *ends))), finest, least=least, sign=sign)
        if not self.known:
            return f"{self.value:{spec}} (interval unknown)"
        if not width:
            return f"{self.value:{spec}}"
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def to_dict(self) -> dict[str, float | None]:
        """As JSON values; an unknown end is None."""
        return {key: value if math.isfinite(value) else None for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote.

        Raises:
            StoredFileError: It wrote something else.
        """
        unknown = {"low": -math.inf, "high": math.inf}
        known = mapping_of(values, "an estimate", StoredFileError).items()
        return typed(cls, {key: unknown.get(key) if value is None else value for key, value in known}, "an estimate")
