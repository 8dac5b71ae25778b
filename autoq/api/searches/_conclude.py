"""The end of a search, after its trials. Whatever happens there, the result has what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from autoq.api.results._result import SearchResult
from autoq.api.searches._advance import drawing_imported
from autoq.api.searches._ended import SECONDS, note_end
from autoq.api.searches._held_out import score_front
from autoq.api.searches._prepare import PreparedSearch
from autoq.api.searches._publish import in_any_case, publish
from autoq.api.searches._shares import closing_seconds, files_s, tuning_seconds
from autoq.api.searches._tune_front import tune_front, tuning_note
from autoq.core import DeviceError
from autoq.searching.loop import Explored, close
from autoq.searching.records import Part
from autoq.searching.sampler import prediction_error
from autoq.searching.study import Study


def conclude_search(prepared: PreparedSearch, explored: Explored) -> SearchResult:
    """Measures the best models together, scores them on held-out data, writes the result and tells the observers.

    1. Models near the front are trained, if the search has a `finetune`.
    2. The closing session measures the models of the front beside each other.
    3. The front is scored on held-out data, where there are any.
    4. The predictions of the sampler are compared with the measurements.

    An interrupted search skips these four. If one of them fails, the result lacks it, and a warning says so. The
    study keeps where the time went.
    """
    session, problem, records = prepared.session, prepared.problem, prepared.study.records()
    result = SearchResult(
        info=prepared.info,
        records=session.keeper.attach(records),
        build=problem.build,
        probes=None if explored.knowledge is None else explored.knowledge.probes,
        interrupted=explored.interrupted,
        folder=None if session.folder is None else session.folder.path,
    )
    clock = session.request.clock
    if session.folder is not None:
        session.meanwhile.begin(drawing_imported)
    for part, step in () if result.interrupted else _STEPS:
        try:
            with clock.spent(part):
                result = step(prepared, explored, result)
        except KeyboardInterrupt:
            # What the step has stored before counts.
            known = session.keeper.attach(prepared.study.records())
            result = replace(result, interrupted=True, records=known)
            break
    if session.process is not None:
        session.process.dismiss()  # it ends while the files are written
    result = replace(result, shortened=tuple(clock.shortened), seconds=clock.spent_s)
    with clock.spent(Part.RECORD):
        note_end(session.request, prepared.study, result)
    result = replace(publish(session, result, session.folder), seconds=clock.spent_s)
    with in_any_case("noting where the time went"):
        prepared.study.remember(SECONDS, result.seconds)
    return result


def _tuned(prepared: PreparedSearch, _: Explored, result: SearchResult) -> SearchResult:
    """The result with tuned models."""
    clock = prepared.budget.clock
    with in_any_case("tuning models near the front"):
        ending_s = prepared.budget.ending_s - tuning_seconds(prepared.session.request, prepared.problem)
        seconds = clock.left_s - ending_s if clock.is_limited else None
        records = tuple(tune_front(prepared, result.records, seconds))
        note = tuning_note(prepared, records)
        notes = result.info.notes if note is None else {**result.info.notes, "tuning": note}
        return replace(result, records=records, info=replace(result.info, notes=notes))
    return result


def _closed(prepared: PreparedSearch, _: Explored, result: SearchResult) -> SearchResult:
    """The result with the models of the front measured together."""
    session, study, budget = prepared.session, prepared.study, prepared.budget
    with in_any_case("the closing session"), _unless_killed(study, "the closing session"):
        seconds = closing_seconds(budget, result.records, prepared.problem, session.request.held_out)
        records = close(
            prepared.problem,
            study,
            budget,
            result.records,
            seconds,
            session.audience.on_stage,
            session.keeper.keep,
            session.request.wanted.rule,
        )
        return replace(result, records=tuple(records))
    return result


def _scored_on_held_out(prepared: PreparedSearch, _: Explored, result: SearchResult) -> SearchResult:
    """The result with the scores of the front on held-out data."""
    session, clock = prepared.session, prepared.budget.clock
    if session.request.held_out is None:
        return result
    with in_any_case("scoring on held-out data"), _unless_killed(prepared.study, "scoring on held-out data"):
        scored = score_front(
            prepared.problem,
            result.front,
            result.chosen,
            session.request.held_out,
            clock,
            files_s(clock),
            session.audience.on_stage,
        )
        return replace(result, holdout_front=scored)
    return result


def _compared_with_predictions(_: PreparedSearch, explored: Explored, result: SearchResult) -> SearchResult:
    """The result with the error of the sampler's predictions."""
    if explored.knowledge is None:
        return result
    with in_any_case("telling how well trials were predicted"):
        error = prediction_error(explored.problem.dimensions, explored.knowledge, result.records)
        return replace(result, prediction_error=error)
    return result


_STEPS = (
    (Part.TUNE, _tuned),
    (Part.CLOSE, _closed),
    (Part.HELD_OUT, _scored_on_held_out),
    (Part.PREDICTIONS, _compared_with_predictions),
)


@contextmanager
def _unless_killed(study: Study, what: str) -> Iterator[None]:
    """Encloses a step after the trials, unless the process was killed in it four times.

    Raises:
        DeviceError: The process was killed in it four times.
    """
    with study.attempt(what) as may_try:
        if not may_try:
            msg = "the process was killed in it four times"
            raise DeviceError(msg)
        yield
