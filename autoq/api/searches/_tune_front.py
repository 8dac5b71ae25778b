"""Models near the front are trained after the trials, and become points of the search.

How many are trained, and for how long, is decided once; which one comes next, when the one before has ended. Both are
kept with the study: a search that was killed in a training goes on there.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from autoq.api.searches._finetuning import FineTuning
from autoq.api.searches._prepare import PreparedSearch
from autoq.api.tuning._finetune import TunedModel, finetuned
from autoq.core import removed, shown
from autoq.searching.loop import Aside, next_to_train, why, worth_training
from autoq.searching.records import CoursePoint, Limits, TrialRecord, TrialState, Tuned, evaluation_of, untuned

# The study keeps what is trained, and what became of each training.
_DECIDED, _ENDED = "tuning", "tuned"
# With fewer seconds, a training comes to nothing.
_LEAST_S = 5.0


def tune_front(prepared: PreparedSearch, records: tuple[TrialRecord, ...], seconds: float | None) -> list[TrialRecord]:
    """Trains the models near the front, scores and times them.

    Args:
        prepared: The search, after its trials.
        records: Records of all trials, with their scores.
        seconds: Seconds for all trainings; None where there is no limit.

    Returns:
        The records, with those of the tuned models.
    """
    finetune, study = prepared.session.request.finetune, prepared.study
    if finetune is None:
        return list(records)
    found = list(records)
    decided = _decided(prepared, finetune, found, seconds)
    for place in range(decided["count"]):
        record = _next(prepared, decided, place, found)
        if record is None:
            break
        number = record.number
        if _is_ended(prepared, finetune, decided, number, found):
            continue
        what = f"tuning trial {number}"
        try:
            with study.attempt(what) as may_try:
                if not may_try:
                    _end(prepared, finetune, number, "the process was killed four times while it was tuned")
                    continue
                tuned = _trained(prepared, finetune, record, decided["seconds"])
        except Exception as error:  # noqa: BLE001  # of any kind: the model or the user's loss may raise anything
            warnings.warn(f"trial {number} could not be tuned: {why(error)}", stacklevel=3)
            _end(prepared, finetune, number, f"could not be tuned: {why(error)}")
            continue
        found = _added(prepared, found, number, tuned)
        _end(prepared, finetune, number, "tuned" if tuned.report.improved else "became no better")
        if (folder := prepared.session.folder) is not None:
            removed(folder.training(_name(finetune, number)))
    return found


def tuning_note(prepared: PreparedSearch, records: tuple[TrialRecord, ...]) -> str | None:
    """What became of the trainings, in a sentence without its full stop; None without any."""
    finetune, study = prepared.session.request.finetune, prepared.study
    if finetune is None or (decided := study.recall(_DECIDED)) is None:
        return None
    if not decided["of"]:
        # That there was no time for those that were wanted is said elsewhere.
        return None if decided.get("wanted") else f"no model was tuned: {_why_none(records, prepared.budget.limits)}"
    ended = study.recall(_ENDED) or {}
    became = {record.tuned.of: record.number for record in records if record.tuned is not None}
    told = []
    for number in decided["of"]:
        said = ended.get(_name(finetune, number), "was not tuned")
        told.append(_gained(number, became[number], records) if said == "tuned" else f"trial {number} {said}")
    return f"tuning: {', '.join(told)}"


def _why_none(records: Sequence[TrialRecord], limits: Limits) -> str:
    """Why there is no model that training could make better."""
    evaluations = [
        evaluation_of(record)
        for record in untuned(records)
        if record.state is TrialState.COMPLETE and not record.is_baseline
    ]
    if not evaluations:
        return "none was measured that differs from the float model"
    others = replace(limits, max_drop=None)
    if not any(map(others.keep, evaluations)):
        return f"none keeps {others.text}"
    return "none near the front scores lower than the float model, so there is nothing to win back"


def _gained(before: int, after: int, records: tuple[TrialRecord, ...]) -> str:
    """What a training has won back."""
    drops = {r.number: r.evaluation.accuracy.drop.value for r in records if r.evaluation is not None}
    if after not in drops:
        return f"trial {before} became trial {after}, which failed"
    change = f"with a drop of {shown(drops[after])} in place of {shown(drops[before])}"
    return f"trial {before} became trial {after}, {change}"


def _decided(
    prepared: PreparedSearch, finetune: FineTuning, records: list[TrialRecord], seconds: float | None
) -> dict[str, Any]:
    """How many are trained, which, and for how long: as an earlier session decided after the same trials, or now."""
    study = prepared.study
    now = {"finetune": finetune.digest, "top": finetune.top, "trials": len(untuned(records))}
    decided = study.recall(_DECIDED)
    if decided is not None and now.items() <= decided.items():
        return dict(decided)
    count = wanted = worth_training(records, prepared.budget.limits, finetune.top)
    each = finetune.settings.timeout_s
    if each is not None:
        whole = each if seconds is None else min(each, seconds)
        if whole < _LEAST_S * count <= each:
            count = int(max(whole, 0.0) // _LEAST_S)
            time = f"time to tune {count} of {wanted} models" if count else "no time to tune models"
            prepared.budget.clock.shorten(f"there was {time} near the front.")
        each = whole / max(count, 1)
    values = {**now, "wanted": wanted, "count": count, "of": [], "seconds": each, "since": study.size}
    study.remember(_DECIDED, values)
    return values


def _next(
    prepared: PreparedSearch, decided: dict[str, Any], place: int, records: Sequence[TrialRecord]
) -> TrialRecord | None:
    """The model that is trained at a place; it is added to what was decided. None if there is no other one."""
    if place < len(decided["of"]):
        return next(record for record in records if record.number == decided["of"][place])
    found = next_to_train(records, prepared.budget.limits, decided["count"], decided["of"])
    if found is not None:
        decided["of"].append(found.number)
        prepared.study.remember(_DECIDED, decided)
    return found


def _is_ended(
    prepared: PreparedSearch,
    finetune: FineTuning,
    decided: Mapping[str, Any],
    number: int,
    records: list[TrialRecord],
) -> bool:
    """Whether a training came to its end, also one whose session was killed right after it."""
    if _name(finetune, number) in (prepared.study.recall(_ENDED) or {}):
        return True
    since = [record for record in records if record.number >= decided["since"]]
    if not any(record.tuned is not None and record.tuned.of == number for record in since):
        return False
    _end(prepared, finetune, number, "tuned")
    return True


def _end(prepared: PreparedSearch, finetune: FineTuning, number: int, said: str) -> None:
    ended = prepared.study.recall(_ENDED) or {}
    prepared.study.remember(_ENDED, {**ended, _name(finetune, number): said})


def _name(finetune: FineTuning, number: int) -> str:
    return f"{finetune.digest}-{number}"


def _trained(prepared: PreparedSearch, finetune: FineTuning, record: TrialRecord, seconds: float | None) -> TunedModel:
    session, number = prepared.session, record.number
    checkpoint = None if session.folder is None else session.folder.training(_name(finetune, number))
    return finetuned(
        prepared.problem.build(record),
        finetune.data,
        finetune.each(seconds, checkpoint),
        teacher=session.request.network,
        on_step=lambda done, total: session.audience.on_stage(f"tuning trial {number}", done, total),
    )


def _added(prepared: PreparedSearch, records: list[TrialRecord], number: int, tuned: TunedModel) -> list[TrialRecord]:
    """The records with that of the tuned model, if the training has made it better."""
    if not tuned.report.improved:
        return records
    session, report = prepared.session, tuned.report
    made = Tuned(
        of=number,
        model=session.tuned.keep(tuned.model),
        before=report.start,
        after=report.best,
        course=tuple(CoursePoint(**asdict(check)) for check in report.checks),
    )
    aside = Aside(prepared.problem, prepared.study, prepared.budget, [session.audience], session.keeper.keep)
    return aside.add_tuned(records, tuned.model, made)
