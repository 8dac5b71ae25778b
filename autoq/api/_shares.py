"""How the trials and the time of a search are shared out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from autoq.api._asked import Asked
from autoq.api._held_out import scoring_seconds
from autoq.evaluation import item_count
from autoq.search import (
    MOST_FINALISTS,
    Budget,
    Limits,
    ParetoFront,
    TrialRecord,
)

DEFAULT_TRIALS = 60
# Of the time of a search, the share that the closing session gets, and the least by finalist where no time was given.
CLOSING_SHARE = 0.15
FINALIST_S = 1.5
# Of the time that is left after the last trial, the most that scoring on held-out data takes from the closing session.
HELD_OUT_SHARE = 0.5


def budget_of(asked: Asked, limits: Limits) -> Budget:
    """When the trials of a search stop, and what is acceptable."""
    return Budget(
        n_trials=asked.n_trials if asked.n_trials is not None or asked.timeout_s is not None else DEFAULT_TRIALS,
        deadline=None if asked.timeout_s is None else asked.started + asked.timeout_s,
        closing_s=0.0 if asked.timeout_s is None else CLOSING_SHARE * asked.timeout_s,
        limits=limits,
    )


def seconds_for_trials(budget: Budget) -> float | None:
    """Seconds that are left for trials; None is no limit."""
    return None if budget.deadline is None else budget.deadline - budget.closing_s - time.monotonic()


def closing_seconds(
    budget: Budget,
    begun: float,
    records: Sequence[TrialRecord],
    held_out: Any,  # whatever the user's function takes, or pairs
) -> float:
    """Seconds for the closing session, that of scoring on held-out data left out.

    Args:
        budget: Of the search.
        begun: When its trials began, a moment of `time.monotonic()`.
        records: Of its trials.
        held_out: Data to score on afterwards; None without.
    """
    now = time.monotonic()
    if budget.deadline is None:
        return max(FINALIST_S * min(len(ParetoFront(records)), MOST_FINALISTS), CLOSING_SHARE * (now - begun))
    left = budget.deadline - now
    if held_out is None:
        return left
    models = len(ParetoFront(records)) + 1
    return left - min(scoring_seconds(records, item_count(held_out), models), HELD_OUT_SHARE * max(left, 0.0))
