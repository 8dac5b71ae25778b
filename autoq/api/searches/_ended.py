"""A search that has ended, started again: its result comes back, and nothing is calibrated or measured.

Whether it is the same search is told as for one that goes on, by its identity; what of that was measured, the float
model's score, is taken from the search that ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import Any

from autoq.api.results._folder import RunFolder
from autoq.api.results._result import SearchResult
from autoq.api.results._scores import ScoreKeeper
from autoq.api.searches._asked import Asked
from autoq.api.searches._ending import in_any_case, published
from autoq.api.searches._identity import study_identity
from autoq.api.searches._session import SAMPLES
from autoq.api.searches._shares import trials_asked
from autoq.core import AutoqError, StoredFileError
from autoq.evaluation.device import hardware_fingerprint
from autoq.evaluation.scoring import item_count
from autoq.searching.front import SearchInfo, info_from_dict
from autoq.searching.loop import Audience, builder_again, digests_of, supported_space
from autoq.searching.shown import SearchObserver
from autoq.searching.study import Storage, Study, kept_before, plain
from autoq.transform import CandidateBuilder

# What the study keeps: the result, as long as no further trials follow it; and all budgets that were spent on it.
_RESULT, _BUDGETS, _IDENTITY = "ended", "budgets", "identity"


def note_end(asked: Asked, study: Study, result: SearchResult) -> None:
    """Keeps with the study that the search has ended, and with which result."""
    if result.interrupted:
        return
    with in_any_case("noting that the search has ended"):
        _note_end(asked, study, result)


def _note_end(asked: Asked, study: Study, result: SearchResult) -> None:
    spent = [trials_asked(asked), asked.timeout_s]
    budgets = study.recall(_BUDGETS) or []
    study.remember(_BUDGETS, [*(budget for budget in budgets if budget != spent), spent])
    # The study has the records.
    kept = result.to_dict() | {"records": [], "trials": len(result.records), "version": version("autoq")}
    study.remember(_RESULT, kept)


def forget_end(study: Study) -> None:
    """A search that goes on has no result until it ends again."""
    study.remember(_RESULT, None)


def ended_before(asked: Asked, folder: RunFolder | None, storage: Storage, keeper: ScoreKeeper) -> SearchResult | None:
    """The result of the search, where it has ended, and is not asked for more than what it was given.

    1. It has as many trials as it is asked for.
    2. Or it ended with a budget at least as large, in trials and in seconds.

    Returns:
        None where it has not ended; where it goes on, since the budget is larger; where it is no longer the same
        search, as whoever opens its study will say; and where another model is chosen than the one that was scored on
        held-out data.

    Raises:
        AutoqError: The data do not fit the model, or the device is unknown.
    """
    recalled = _recalled(storage, asked.title)
    kept = recalled(_RESULT)
    if kept is None or kept["version"] != version("autoq"):
        return None
    if not _is_spent(asked, kept["trials"], recalled(_BUDGETS)):
        return None
    info, samples = info_from_dict(kept["info"]), recalled(SAMPLES) or {}
    if asked.wanted.rule != info.choose and kept["holdout_front"]:
        return None
    calibrated = samples.get("calibrated")
    space = supported_space(asked.space, asked.runtime.device, asked.runtime.reset_state)
    told = asked.evaluate is None and "scored" not in samples
    identity = study_identity(
        asked,
        digests=digests_of(asked.network, asked.inputs, space, calibrated),
        space=space,
        samples=item_count(asked.validation) if told else info.float_accuracy.n,
        float_mean=info.float_accuracy.mean,
        hardware=hardware_fingerprint(asked.runtime.device),
    )
    if plain(identity) != recalled(_IDENTITY):
        return None
    study = Study(storage, asked.title, sampler=space.sampler, seed=asked.seed, identity=identity)
    keeper.open(info)
    info = replace(info, choose=asked.wanted.rule, settings={**info.settings, "model_path": asked.source})

    @cache
    def builder() -> CandidateBuilder:
        return builder_again(
            asked.network,
            asked.inputs,
            space,
            target_device=asked.target_device,
            model_type=asked.model_type,
            reset_state=asked.runtime.reset_state,
            folder=None if folder is None else folder.cache / info.settings["cache"],
            calibrated_on=calibrated,
        )

    result = SearchResult.from_dict(
        kept, lambda record: builder().build(record.plan), None if folder is None else folder.path
    )
    return replace(result, info=info, records=keeper.attach(study.records()), ended_before=True)


def _recalled(storage: Storage, name: str) -> Callable[[str], Any]:  # any JSON value
    """Reads what the study keeps; None where that is damaged: who goes on with the study says so or mends it."""
    kept = kept_before(storage, name)

    def recalled(key: str) -> Any:  # any JSON value
        try:
            return kept(key)
        except StoredFileError:
            return None

    return recalled


def told_again(
    result: SearchResult,
    folder: RunFolder | None,
    audience: Audience,
    opened: Callable[[], Iterable[SearchObserver]],
) -> SearchResult:
    """The result of a search that ended before, once all who watch have been told of it.

    Its files are written again where some are missing, or are of another choice.

    Args:
        result: What `ended_before` gave.
        folder: Of the run; None where nothing is written.
        audience: Told of it.
        opened: Opens the observers that are told too.
    """
    for observer in opened():
        audience.join(observer)
    audience.on_start(_announced(result), result.records)
    whole = folder is not None and _is_whole(folder, result)
    return published(result, None if whole else folder, audience)


def _is_spent(asked: Asked, trials: int, budgets: Sequence[Sequence[Any]] | None) -> bool:
    """Whether what is asked for is no more than what there is."""
    most = trials_asked(asked)
    if most is not None and trials >= most:
        return True
    wanted = (most, asked.timeout_s)
    return any(
        all(_or_endless(more) <= _or_endless(given) for more, given in zip(wanted, budget, strict=True))
        for budget in budgets or ()
    )


def _or_endless(amount: float | None) -> float:
    return math.inf if amount is None else amount


def _announced(result: SearchResult) -> SearchInfo:
    """What is told at the beginning: that there is nothing to begin."""
    note = f"this search has ended before, after {len(result.records)} trials: nothing is measured again"
    return replace(result.info, notes={**result.info.notes, "ended": note})


def _is_whole(folder: RunFolder, result: SearchResult) -> bool:
    """Whether the files of a run's folder are there, and of the same chosen model."""
    model = [] if result.chosen is None else [folder.best, folder.best.with_suffix(".bin")]
    if not all(path.exists() for path in (folder.path / "report.html", folder.path / "front.png", *model)):
        return False
    try:
        kept = SearchResult.load(folder.path)
    except AutoqError:
        return False
    return not kept.interrupted and kept.to_dict() == result.to_dict()
