"""What a training came to: its course, and why it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from autoq.core import Word


class TuningEnd(Word):
    """Why a training ended."""

    DONE = "done"  # all steps, or the time
    NO_BETTER = "no better"  # several checks in a row brought nothing
    NOT_FINITE = "not finite"  # the loss, or a gradient


@dataclass(frozen=True, slots=True)
class TuningCheck:
    """A look at the model in the middle of a training.

    Attributes:
        step: Steps done, those of the race included.
        seconds: Seconds since the beginning, over all sessions.
        rate: Learning rate of the last step.
        loss: Mean loss of the steps since the last check.
        held_out: What the model has on the samples that are held out, run by OpenVINO; smaller is better.
    """

    step: int
    seconds: float
    rate: float
    loss: float
    held_out: float


@dataclass(frozen=True, slots=True)
class TuningReport:
    """The course of a training.

    Attributes:
        start: What the given model has on the samples that are held out.
        best: What the returned model has; never above `start`.
        rate: Highest learning rate, after all that were too high.
        race: The loss that each learning rate of the race came to; empty without a race.
        checks: All checks.
        steps: Steps done, those of the race included.
        seconds: Seconds, over all sessions.
        end: Why it ended.
    """

    start: float
    best: float
    rate: float
    race: Mapping[float, float]
    checks: tuple[TuningCheck, ...]
    steps: int
    seconds: float
    end: TuningEnd

    @property
    def improved(self) -> bool:
        """Whether the returned model is another one than the given."""
        return self.best < self.start

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        found = asdict(self)
        found["race"] = {f"{rate:g}": value for rate, value in self.race.items()}
        return {**found, "end": str(self.end), "improved": self.improved}
