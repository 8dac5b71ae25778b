"""What came of learned rounding."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class LearnedBlock:
    """A block that has learned.

    Attributes:
        end: The tensor that it ends at; empty for the outputs of the model.
        weights: How many of its weights learned.
        before: Distance from the float model on the samples that are held out, with the weights as they were given.
        after: The same with the weights that were taken.
        steps: Steps done.
    """

    end: str
    weights: int
    before: float
    after: float
    steps: int


@dataclass(frozen=True, slots=True)
class RoundingReport:
    """How it went.

    Attributes:
        start: What the given model has on the samples that are held out, run by OpenVINO; smaller is better.
        best: What the returned model has; never above `start`.
        blocks: The blocks, from the inputs to the outputs.
        changed: Share of the numbers whose level is another one.
        seconds: Seconds.
    """

    start: float
    best: float
    blocks: tuple[LearnedBlock, ...]
    changed: float
    seconds: float

    @property
    def improved(self) -> bool:
        """Whether the returned model is another one than the given."""
        return self.best < self.start

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "improved": self.improved}
