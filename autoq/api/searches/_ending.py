"""The trials of a search and what comes after them: whatever happens there, what was measured is given out."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from autoq._stopping import held
from autoq.api.results._folder import RunFolder
from autoq.api.results._result import SearchResult
from autoq.api.results._scores import ScoreKeeper
from autoq.api.searches._asked import Asked
from autoq.api.searches._held_out import score_front
from autoq.api.searches._shares import closing_seconds, files_s
from autoq.core import DeviceError, named_reason
from autoq.searching.front import SearchInfo
from autoq.searching.loop import Audience, Budget, Explored, Keep, Problem, close, explore, why
from autoq.searching.sampler import prediction_error
from autoq.searching.study import Study


def trials_of(
    asked: Asked,
    problem: Problem,
    study: Study,
    budget: Budget,
    info: SearchInfo,
    audience: Audience,
    keeper: ScoreKeeper,
) -> Explored:
    """Runs the trials of a search. Where something ends them early, those that there are count.

    Raises:
        KeyboardInterrupt: The user ended it before there was any trial.
        AutoqError: The device, or whatever else it cannot do without, failed before there was any.
    """
    try:
        audience.on_start(info, study.records())
        explored = explore(
            problem,
            study,
            budget,
            [audience],
            stage=audience.on_stage,
            attach=keeper.attach,
            seed=asked.seed,
            keep=keeper.keep,
        )
    except (KeyboardInterrupt, Exception) as error:  # of any kind
        if not study.records():
            raise
        if not isinstance(error, KeyboardInterrupt):
            warnings.warn(f"the search ends early: {why(error)}", stacklevel=3)
        return Explored(problem, None, interrupted=True)
    if explored.interrupted and not study.records():
        raise KeyboardInterrupt
    return explored


def concluded(
    asked: Asked,
    problem: Problem,
    study: Study,
    budget: Budget,
    result: SearchResult,
    *,
    explored: Explored,
    audience: Audience,
    keep: Keep,
) -> SearchResult:
    """A result whose best models were measured together, and scored on held-out data, as far as that goes.

    Args:
        asked: Of the search.
        problem: Of the search.
        study: Of the search.
        budget: Of the search.
        result: Its trials.
        explored: How these went.
        audience: Told what happens.
        keep: Keeps the scores of a record.
    """
    if result.interrupted:
        return result
    try:
        with in_any_case("the closing session"), _unless_killed(study, "the closing session"):
            seconds = closing_seconds(budget, result.records, asked.held_out)
            records = close(problem, study, budget, result.records, seconds, audience.on_stage, keep)
            result = replace(result, records=tuple(records))
        if asked.held_out is not None:
            with in_any_case("scoring on held-out data"), _unless_killed(study, "scoring on held-out data"):
                scored = score_front(
                    problem,
                    result.front,
                    result.chosen,
                    asked.held_out,
                    budget.clock,
                    files_s(budget.clock),
                    audience.on_stage,
                )
                result = replace(result, holdout_front=scored)
        if (known := explored.knowledge) is not None:
            with in_any_case("telling how well trials were predicted"):
                result = replace(
                    result, prediction_error=prediction_error(explored.problem.dimensions, known, result.records)
                )
    except KeyboardInterrupt:
        return replace(result, interrupted=True)
    return result


def published(result: SearchResult, folder: RunFolder | None, audience: Audience) -> SearchResult:
    """The result, once it is written into its folder and all who watch have been told."""
    try:
        with held():
            if folder is not None:
                with in_any_case(f"writing the result to {str(folder.path)!r}"):
                    result.save(folder.path)
            audience.on_finish(result.records, result.front, result.folder)
    except KeyboardInterrupt:
        return replace(result, interrupted=True)
    return result


@contextmanager
def _unless_killed(study: Study, what: str) -> Iterator[None]:
    """What follows the trials, unless the process was killed in it over and over again.

    Raises:
        DeviceError: It was.
    """
    with study.attempt(what) as may_try:
        if not may_try:
            msg = "the process was killed four times while it went on"
            raise DeviceError(msg)
        yield


@contextmanager
def in_any_case(what: str) -> Iterator[None]:
    """What follows the trials: an error is a warning, for the trials stand."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # of any kind
        warnings.warn(f"{what} failed, and the trials stand without it: {named_reason(error)}", stacklevel=4)
