"""A search that has ended and is started again: it returns its result, and calibrates and measures nothing.

The identity of the study tells whether it is the same search, as for a search that goes on. The float model's score is
part of the identity, and is taken from the search that ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import Any

from autoq.api.results._folder import RunFolder
from autoq.api.results._result import SearchResult
from autoq.api.searches._identity import SAMPLES, study_identity
from autoq.api.searches._publish import in_any_case, publish
from autoq.api.searches._request import SearchRequest
from autoq.api.searches._session import SearchSession
from autoq.api.searches._shares import trials_asked
from autoq.core import AutoqError, StoredFileError, Until
from autoq.evaluation.device import hardware_fingerprint
from autoq.evaluation.scoring import item_count
from autoq.searching.front import SearchInfo, info_from_dict
from autoq.searching.problem import builder_again, digests_of, model_of, supported_space
from autoq.searching.records import untuned
from autoq.searching.sensitivity import PlanBuilder
from autoq.searching.study import Storage, Study, kept_before, plain

# The study keeps the result until further trials follow, and all budgets that were spent on it.
_RESULT, _BUDGETS, _IDENTITY = "ended", "budgets", "identity"
# The study keeps the seconds of all sessions by part.
SECONDS = "seconds"


def note_end(request: SearchRequest, study: Study, result: SearchResult) -> None:
    """Stores the result in the study of a search that has ended."""
    if result.interrupted:
        return
    with in_any_case("noting that the search has ended"):
        _note_end(request, study, result)


def _note_end(request: SearchRequest, study: Study, result: SearchResult) -> None:
    spent = _budget(request)
    budgets = study.recall(_BUDGETS) or []
    study.remember(_BUDGETS, [*(budget for budget in budgets if budget != spent), spent])
    # The study has the records already.
    kept = result.to_dict() | {"records": [], "trials": len(untuned(result.records)), "version": version("autoq")}
    study.remember(_RESULT, kept)


def forget_end(study: Study) -> None:
    """Removes the result from the study: a search that goes on has none until it ends again."""
    study.remember(_RESULT, None)


def ended_before(session: SearchSession) -> SearchResult | None:
    """The result of a search that has ended and whose budget is spent.

    1. It has as many trials as the request wants.
    2. Or it ended with a budget that was at least as large as the request's, in trials and in seconds, and that it had
       spent if the request wants it spent.

    Returns:
        The result. None in four cases: the search has not ended; the budget is larger now; it is another search, which
        opening its study will report; or the choice is now another model than the one that was scored on held-out
        data.

    Raises:
        AutoqError: The data do not fit the model, or the device is unknown.
    """
    request, folder, storage = session.request, session.folder, session.storage
    recalled = _recalled(storage, request.title)
    kept = recalled(_RESULT)
    if kept is None or kept["version"] != version("autoq"):
        return None
    if not _is_spent(request, kept["trials"], recalled(_BUDGETS)):
        return None
    info, samples = info_from_dict(kept["info"]), recalled(SAMPLES) or {}
    if request.wanted.rule != info.choose and kept["holdout_front"]:
        return None
    calibrated = samples.get("calibrated")
    space = supported_space(request.space, request.runtime.device, request.runtime.reset_state)
    told = request.evaluate is None and "scored" not in samples
    identity = study_identity(
        request,
        digests=digests_of(request.network, request.inputs, space, calibrated),
        space=space,
        samples=item_count(request.validation) if told else info.float_accuracy.n,
        float_mean=info.float_accuracy.mean,
        hardware=hardware_fingerprint(request.runtime.device),
    )
    if plain(identity) != recalled(_IDENTITY):
        return None
    study = Study(storage, request.title, sampler=space.sampler, seed=request.seed, identity=identity)
    session.keeper.open(info)
    info = replace(info, choose=request.wanted.rule, settings={**info.settings, "model_path": request.source})

    @cache
    def builder() -> PlanBuilder:
        return builder_again(
            request.network,
            request.inputs,
            space,
            target_device=request.target_device,
            model_type=request.model_type,
            reset_state=request.runtime.reset_state,
            folder=None if folder is None else folder.cache / info.settings["cache"],
            calibrated_on=calibrated,
            stack=session.stack,
        )

    result = SearchResult.from_dict(
        kept,
        lambda record: model_of(record, lambda plan: builder().build(plan), session.tuned.read),
        None if folder is None else folder.path,
    )
    return replace(
        result,
        info=info,
        records=session.keeper.attach(study.records()),
        seconds=recalled(SECONDS) or {},
        ended_before=True,
    )


def _recalled(storage: Storage, name: str) -> Callable[[str], Any]:  # any JSON value
    """Reads a value that the study keeps; None where it is damaged: opening the study reports or mends that."""
    kept = kept_before(storage, name)

    def recalled(key: str) -> Any:  # any JSON value
        try:
            return kept(key)
        except StoredFileError:
            return None

    return recalled


def tell_again(session: SearchSession, result: SearchResult) -> SearchResult:
    """Announces the result of a search that had ended before.

    The files of the search are written again where some are missing, or belong to another choice.

    Args:
        session: The session of the search.
        result: The result of `ended_before`.
    """
    session.call_observers()
    session.track_at_once()
    session.audience.on_start(_announced(result), result.records)
    whole = session.folder is not None and _is_whole(session.folder, result)
    return publish(session, result, None if whole else session.folder)


def _is_spent(request: SearchRequest, trials: int, budgets: Sequence[Sequence[Any]] | None) -> bool:
    """Whether the search has spent the budget of the request."""
    *wanted, _, tuned = _budget(request)
    most = wanted[0]
    if most is not None and trials >= most:
        # The trials are there, perhaps without a training of them.
        return tuned is None or any(done == tuned for *_, done in budgets or ())
    return any(
        all(_or_endless(more) <= _or_endless(given) for more, given in zip(wanted, amounts, strict=True))
        and request.until in {Until.GAIN, until}
        and tuned in {None, done}
        for *amounts, until, done in budgets or ()
    )


def _budget(request: SearchRequest) -> list[Any]:
    """Trials, seconds, when the search ends, and what is trained after them, as JSON values."""
    finetune = request.finetune
    tuned = None if finetune is None else f"{finetune.digest}-{finetune.top}"
    return [trials_asked(request), request.timeout_s, str(request.until), tuned]


def _or_endless(amount: float | None) -> float:
    return math.inf if amount is None else amount


def _announced(result: SearchResult) -> SearchInfo:
    """What observers are told at the beginning, with a note that nothing is measured again."""
    note = f"this search has ended before, after {len(result.records)} trials: nothing is measured again"
    return replace(result.info, notes={**result.info.notes, "ended": note})


def _is_whole(folder: RunFolder, result: SearchResult) -> bool:
    """Whether the files of a run's folder are there, and belong to the same chosen model."""
    model = [] if result.chosen is None else [folder.best, folder.best.with_suffix(".bin")]
    if not all(path.exists() for path in (folder.path / "report.html", folder.path / "front.png", *model)):
        return False
    try:
        kept = SearchResult.load(folder.path)
    except AutoqError:
        return False
    # The files were written before the search had ended, and tell the seconds until then.
    return not kept.interrupted and kept.to_dict() == replace(result, seconds=kept.seconds).to_dict()
