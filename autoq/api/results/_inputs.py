"""A search never overwrites the files that it reads."""

from __future__ import annotations

from typing import Any

from autoq.api.results._folder import RunFolder
from autoq.calibration import data_files
from autoq.core import check_not_inputs
from autoq.graph import model_files

# Files and folders that a search replaces in the folder of a run.
_WRITTEN = (
    "best",
    "best.json",
    "cache",
    "front.json",
    "front.png",
    "report.html",
    "run.json",
    "search.json",
    "study.db",
    "trials.csv",
)


def check_run_inputs(folder: RunFolder | None, model: object, *data: Any) -> None:  # whatever a user brings
    """Checks that a search does not overwrite the files that it reads. Files are known where the user gives paths.

    Args:
        folder: The folder of the run; None where nothing is written.
        model: The model as `read_model` takes it.
        data: Calibration and labelled data.

    Raises:
        OutputError: The search would overwrite one of them.
    """
    if folder is not None:
        read = [*model_files(model), *(file for part in data for file in data_files(part))]
        check_not_inputs([folder.path / name for name in _WRITTEN], read)
