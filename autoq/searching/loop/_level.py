"""The level of a search: how large its units are, so that the budget suffices for them."""

from __future__ import annotations

from collections.abc import Mapping

from autoq.core import Level
from autoq.graph import units
from autoq.searching.problem import Problem
from autoq.searching.study import Study

# Trials beside one for each unit: float, int8, recipes, the predicted front, and some for combinations.
_BESIDES = 20
# Most blocks by trial. Probing and the predicted front rank many blocks with few trials, while types of operations mix
# the sensitive layers of a network with the others.
_BLOCKS_BY_TRIAL = 4
_LEVEL = "level"


def settle_level(problem: Problem, study: Study, trials: float) -> Problem:
    """The problem at the level that its space names, or that its study began with, or that the budget affords.

    Args:
        problem: What is searched.
        study: Keeps the level, so that a search that goes on with another budget has the same units.
        trials: Expected number of trials, if the search begins.
    """
    if problem.space.precisions != "auto" or not problem.dimensions.quantizes:
        return problem
    stored = study.recall(_LEVEL)
    if stored is None:
        graph = problem.placements.reference
        choices = (Level.GROUP, Level.BLOCK, Level.TYPE, Level.MODEL)
        stored = affordable_level({level: len(units(problem.model, graph, level)) for level in choices}, trials)
        study.remember(_LEVEL, str(stored))
    return problem.at(Level(stored))


def affordable_level(units: Mapping[Level, int], trials: float) -> Level:
    """The level of a search that chooses by its budget.

    1. `group`, if there is a trial for each group and 20 more.
    2. `block`, if there is a trial for each block and 20 more; or if there are two blocks or more, and a trial for
       every four.
    3. `type`, if there are two types or more, and a trial for each.
    4. `model`.

    Args:
        units: Number of units of each level.
        trials: Expected number of trials; infinite without a limit.
    """
    for level in (Level.GROUP, Level.BLOCK):
        if units[level] + _BESIDES <= trials:
            return level
    for level, by_trial in ((Level.BLOCK, _BLOCKS_BY_TRIAL), (Level.TYPE, 1)):
        if 2 <= units[level] <= by_trial * trials:
            return level
    return Level.MODEL


def likely_trials(n_trials: int | None, seconds: float | None, candidate_s: float) -> float:
    """Expected number of candidates that a search measures.

    Args:
        n_trials: Limit of trials; None is no limit.
        seconds: Seconds that are left for trials; None is no limit.
        candidate_s: Seconds of one candidate.
    """
    by_count = float("inf") if n_trials is None else float(n_trials)
    by_time = float("inf") if seconds is None else max(seconds, 0.0) / max(candidate_s, 1e-3)
    return min(by_count, by_time)
