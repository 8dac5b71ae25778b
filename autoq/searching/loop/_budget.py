"""The budget of a search: when its trials end, and what is acceptable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from autoq.searching.problem import Clock
from autoq.searching.records import Limits, TrialRecord, untuned


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When to stop, and what is acceptable.

    Attributes:
        n_trials: Candidates measured, earlier sessions included. None is no limit.
        clock: Clock of the search. A trial that would probably end too late is not begun.
        closing_s: Seconds of the closing session.
        ending_s: Seconds at the end that are kept for what follows the trials, the closing session included.
        to_the_end: Whether trials go on although no further model is expected to be better by what can be measured.
        limits: Limits of an acceptable model.
        reach: How many times the largest drop a model may have that is worth measuring well: training may win back what
            is beyond the limit.
    """

    n_trials: int | None
    clock: Clock = field(default_factory=Clock)
    limits: Limits = field(default_factory=Limits)
    closing_s: float = 0.0
    ending_s: float = 0.0
    reach: float = 1.0
    to_the_end: bool = True

    @property
    def trials_s(self) -> float:
        """Seconds that are left for trials; infinite without a limit."""
        return self.clock.left_s - self.ending_s

    @property
    def worth_drop(self) -> float | None:
        """Largest accuracy drop of a model that is worth measuring well, in the metric's unit; None is any."""
        return None if self.limits.max_drop is None else self.reach * self.limits.max_drop


def is_spent(records: Sequence[TrialRecord], budget: Budget, next_seconds: float = 0.0) -> bool:
    """Whether a budget allows no further trial that takes so long."""
    if budget.n_trials is not None and len(untuned(records)) >= budget.n_trials:
        return True
    return budget.trials_s < next_seconds
