"""The folder of the chosen model, inside the folder of its run."""

from __future__ import annotations

from pathlib import Path

from autoq.api.results._candidate import Build
from autoq.api.results._folder import RunFolder
from autoq.core import Format, StoredFileError, drafted_folder, read_record, removed, write_record
from autoq.export import save_candidate
from autoq.searching.records import TrialRecord, record_to_dict

_NUMBERS = Format("the numbers of a trial")


def keep_chosen(run: RunFolder, chosen: TrialRecord | None, build: Build) -> None:
    """Saves the chosen model with its plan and its numbers, all or none of them.

    Args:
        run: The folder of the run.
        chosen: The trial of the model; None removes the folder of an earlier choice.
        build: Builds the model of a trial.

    Raises:
        OutputError: The folder cannot be written to.
    """
    if chosen is None:
        removed(run.best.parent)
        return
    with drafted_folder(run.best.parent) as draft:
        save_candidate(build(chosen), chosen, draft / run.best.name)
        chosen.plan.save(draft / "plan.json")
        write_record(draft / "numbers.json", _NUMBERS, record_to_dict(chosen))


def kept_chosen(run: RunFolder, chosen: TrialRecord | None) -> Path | None:
    """Path of the saved model of a trial; None where no model is saved, or that of another trial."""
    try:
        fingerprint = read_record(run.best.parent / "numbers.json", _NUMBERS, lambda values: values["fingerprint"])
    except StoredFileError:
        return None
    return run.best if chosen is not None and fingerprint == chosen.fingerprint else None
