"""Taps: statistics of tensors that are collected while calibration data run through a model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from autoq.graph import Tensor


class Statistic(StrEnum):
    """A reduction of one tensor of one sample."""

    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    QUANTILE = "quantile"
    ABS_QUANTILE = "abs_quantile"


@dataclass(frozen=True, slots=True)
class Tap:
    """One statistic of one tensor.

    Attributes:
        tensor: The observed tensor.
        axis: Channel axis that is kept, counted from the last axis if negative; None reduces the whole tensor to one
            number.
        statistic: The reduction.
        level: Level of a quantile, in (0, 1); None for other statistics.
    """

    tensor: Tensor
    axis: int | None
    statistic: Statistic
    level: float | None = None

    @property
    def key(self) -> str:
        """Name of the tap in a file."""
        statistic = self.statistic if self.level is None else f"{self.statistic}@{self.level!r}"
        return f"{statistic}|{'' if self.axis is None else self.axis}|{self.tensor.port}|{self.tensor.producer}"
