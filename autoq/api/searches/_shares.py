"""The shares of a search's time and trials."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoq.api.searches._held_out import scoring_seconds
from autoq.api.searches._request import SearchRequest
from autoq.core import Against, Until
from autoq.evaluation.scoring import item_count
from autoq.searching.loop import MOST_FINALISTS, REACH, Budget, finishing_s
from autoq.searching.problem import Clock, Problem
from autoq.searching.records import Limits, TrialRecord
from autoq.searching.shown import ParetoFront

DEFAULT_TRIALS = 60
# The closing session's share of a search's time, and its least seconds per finalist in a search without a time limit.
CLOSING_SHARE = 0.1
FINALIST_S = 1.5
# A short search has more for it: as long as so many finalists take, and at most this share.
_FINALISTS, _MOST_CLOSING = 8, 0.2
# Scoring on held-out data takes at most this share of the time after the last trial from the closing session.
HELD_OUT_SHARE = 0.5
# Share of the time kept for scoring one model on held-out data, besides the closing session.
_HELD_OUT_KEPT = 0.1
# Share of the time kept for files, the report and tracking, and its most seconds.
_FILES_SHARE, _FILES_S = 0.1, 5.0


def budget_of(request: SearchRequest, problem: Problem, limits: Limits) -> Budget:
    """The budget of the trials, and the limits of their models."""
    clock = request.clock
    held_out_s = (
        0.0 if request.held_out is None else 2 * _held_out_share(request, problem) * problem.evaluator.float_seconds
    )
    closing_s = max(clock.part(CLOSING_SHARE), clock.part(_MOST_CLOSING, _FINALISTS * problem.evaluator.float_seconds))
    return Budget(
        n_trials=trials_asked(request),
        clock=clock,
        closing_s=closing_s,
        ending_s=closing_s
        + min(held_out_s, clock.part(_HELD_OUT_KEPT))
        + files_s(clock)
        + tuning_seconds(request, problem),
        limits=limits,
        reach=1.0 if request.finetune is None else REACH,
        to_the_end=request.until is Until.TIME,
    )


def trials_asked(request: SearchRequest) -> int | None:
    """Candidates to measure: the default where the user gives no budget; None is no limit."""
    return request.n_trials if request.n_trials is not None or request.clock.is_limited else DEFAULT_TRIALS


def files_s(clock: Clock) -> float:
    """Seconds that are kept for files, the report and tracking."""
    return clock.part(_FILES_SHARE, _FILES_S)


def tuning_seconds(request: SearchRequest, problem: Problem) -> float:
    """Seconds that are kept for tuning models near the front, and for measuring them; 0 without a limited clock."""
    finetune = request.finetune
    if finetune is None or finetune.settings.timeout_s is None or not request.clock.is_limited:
        return 0.0
    return finetune.settings.timeout_s + finetune.top * problem.evaluator.float_seconds


def closing_seconds(
    budget: Budget,
    records: Sequence[TrialRecord],
    problem: Problem,
    held_out: Any,  # whatever the user's function takes, or pairs
) -> float:
    """Seconds for the closing session, without those for scoring on held-out data.

    Args:
        budget: The budget of the search.
        records: Its trials of all sessions.
        problem: What is searched. Against size, the session may take all that is left: it takes what scores need, and
            times nothing for long.
        held_out: Data to score on afterwards; None without.
    """
    clock, of_latency = budget.clock, problem.against is Against.LATENCY
    if not clock.is_limited:
        if not of_latency:
            samples = problem.evaluator.float_accuracy.n
            return sum(FINALIST_S + finishing_s(record, samples) for record in ParetoFront(records))
        taken = sum(sum(record.seconds.values()) for record in records)
        return max(FINALIST_S * min(len(ParetoFront(records).staircase), MOST_FINALISTS), CLOSING_SHARE * taken)
    left = clock.left_s - files_s(clock)
    most = max(budget.closing_s, FINALIST_S) if of_latency else left
    if held_out is None:
        return min(left, most)
    models = len(ParetoFront(records).staircase) + 1
    held_out_s = min(scoring_seconds(records, item_count(held_out), models), HELD_OUT_SHARE * max(left, 0.0))
    return min(left - held_out_s, most)


def _held_out_share(request: SearchRequest, problem: Problem) -> float:
    """Number of held-out samples over the number of samples of a trial; 1 where one of them is unknown."""
    held_out, scored = item_count(request.held_out), problem.evaluator.float_accuracy.n
    return held_out / scored if held_out and scored else 1.0
