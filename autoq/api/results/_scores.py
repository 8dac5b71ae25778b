"""Per-sample scores of the trials, kept beside the study: they are too many for attributes of Optuna."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoq.core import (
    DataError,
    Format,
    OutputError,
    StoredFileError,
    file_name,
    named_reason,
    read_arrays,
    write_arrays,
)
from autoq.evaluation.scoring import Scores
from autoq.searching.front import SearchInfo
from autoq.searching.records import TrialRecord
from autoq.searching.shown import ParetoFront

_FORMAT = Format("the scores of a trial", advice="remove it: only comparisons sample by sample need it")


class ScoreKeeper:
    """A search observer that keeps every candidate's scores, and attaches them to records that have none.

    Args:
        folder: Has a folder for each search, with one `.npz` per fingerprint. None keeps the scores in memory.
    """

    def __init__(self, folder: Path | None) -> None:
        self._root = folder
        self._folder: Path | None = None
        self._scores: dict[str, Scores] = {}

    def on_stage(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Preparation has no scores."""

    def on_start(self, info: SearchInfo, earlier: Sequence[TrialRecord]) -> None:
        """Makes the folder of this search."""
        self.open(info)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)

    def open(self, info: SearchInfo) -> None:
        """Takes the folder of this search. Searches do not share one: their plans may have the same fingerprint."""
        if self._root is not None:
            self._folder = self._root / hashlib.blake2b(info.name.encode(), digest_size=8).hexdigest()

    def on_trial(self, record: TrialRecord, front: ParetoFront) -> None:
        """Does nothing: `keep` was called before the record was stored."""

    def on_finish(self, records: Sequence[TrialRecord], front: ParetoFront, files: Path | None) -> None:
        """Does nothing: all scores are kept."""

    def keep(self, record: TrialRecord) -> None:
        """Writes the scores of a trial, whole or not at all. Warns where they cannot be written."""
        try:
            self._keep(record)
        except (OSError, OutputError) as error:
            warnings.warn(f"the scores of trials cannot be kept: {named_reason(error)}", stacklevel=2)

    def _keep(self, record: TrialRecord) -> None:
        if record.evaluation is None or not record.evaluation.accuracy.scores.size:
            return
        scores = self._scores[record.fingerprint] = record.evaluation.accuracy.scores
        if self._folder is not None:
            path = _path(self._folder, record.fingerprint)
            write_arrays(path, _FORMAT, {"of": record.fingerprint}, {"scores": scores})

    def attach(self, records: Iterable[TrialRecord]) -> tuple[TrialRecord, ...]:
        """The records, with their scores where these were kept."""
        return tuple(self._attached(record) for record in records)

    def _attached(self, record: TrialRecord) -> TrialRecord:
        evaluation = record.evaluation
        if evaluation is None or evaluation.accuracy.scores.size:
            return record
        scores = self._scores.get(record.fingerprint)
        if scores is None and self._folder is not None:
            scores = _read(_path(self._folder, record.fingerprint), record.fingerprint)
        if scores is None:
            return record
        return replace(record, evaluation=replace(evaluation, accuracy=replace(evaluation.accuracy, scores=scores)))


def _path(folder: Path, fingerprint: str) -> Path:
    # A fingerprint that was read from a file may be any text.
    return folder / f"{file_name(fingerprint)}.npz"


def _read(path: Path, fingerprint: str) -> Scores | None:
    """Scores from a file; None where it is missing or damaged."""
    if not path.exists():
        return None

    def parse(about: Mapping[str, Any], arrays: Mapping[str, Scores]) -> Scores:
        scores = arrays["scores"]
        if about["of"] != fingerprint or scores.dtype.kind != "f":
            msg = f"it holds {scores.dtype} values of {about['of']!r}, not scores of {fingerprint!r}"
            raise DataError(msg)
        return scores

    try:
        return read_arrays(path, _FORMAT, parse)
    except StoredFileError as error:
        warnings.warn(f"the scores of a trial are missing: {error}", stacklevel=2)
        return None
