"""Saves candidates as IR, with their plan and evaluation inside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.core import OutputError, drafted_together, made_folder, path_of, quoted, reason
from autoq.searching.records import TrialRecord, evaluation_to_dict
from autoq.transform import PLAN_NOTE, VERSION_NOTE, note_plan

_EVALUATION = ["autoq", "evaluation"]
_TUNED = ["autoq", "tuned"]


def noted_candidate(model: ov.Model, record: TrialRecord) -> ov.Model:
    """A copy of a candidate's model with plan and evaluation as model-level rt_info. Other rt_info stays as it is.

    Args:
        model: The candidate; never modified.
        record: Its trial.
    """
    clone = model.clone()
    note_plan(clone, record.plan)
    if record.tuned is not None:
        # The plan does not build this model.
        clone.set_rt_info(json.dumps({"trial": record.tuned.of, "model": record.tuned.model}), _TUNED)
    if record.evaluation is not None:
        summary = evaluation_to_dict(record.evaluation)
        del summary["execution"]
        clone.set_rt_info(json.dumps(summary), _EVALUATION)
    return clone


def save_candidate(model: ov.Model, record: TrialRecord, path: Path) -> Path:
    """Saves a candidate's model, with its notes.

    Args:
        model: The candidate; never modified.
        record: Its trial.
        path: Path of the `.xml`; the `.bin` is written beside it.

    Returns:
        The path.

    Raises:
        OutputError: The path does not end in `.xml`, or cannot be written.
    """
    return save_model(noted_candidate(model, record), path)


def check_model_path(path: Path) -> Path:
    """Checks, before any work, that a model can be saved to a path, and returns the path.

    Raises:
        OutputError: The path does not end in `.xml`, or its folder cannot be made or written to.
    """
    if path_of(path, "model path", OutputError).suffix != ".xml":
        msg = f"model path {quoted(str(path))} must end in .xml; the weights are written beside it as .bin."
        raise OutputError(msg)
    check_folder(path.parent)
    return path


def check_folder(folder: Path) -> None:
    """Makes an output folder before any work.

    Raises:
        OutputError: The folder cannot be made or written to.
    """
    made_folder(folder, "folder")


def save_model(model: ov.Model, path: Path) -> Path:
    """Saves a model as IR. At no moment is an `.xml` beside the `.bin` of another model.

    Raises:
        OutputError: The path does not end in `.xml`, or cannot be written.
    """
    check_model_path(path)
    with drafted_together(path, path.with_suffix(".bin")) as folder:
        write_ir(model, folder / path.name, path)
    return path


def write_ir(model: ov.Model, draft: Path, path: Path) -> None:
    """Writes a model as IR into the draft of a path.

    Raises:
        OutputError: The model cannot be written there.
    """
    try:
        ov.save_model(model, draft, compress_to_fp16=False)
    except RuntimeError as error:
        msg = f"model cannot be saved to {str(path)!r}: {_why_not_written(error, draft)}."
        raise OutputError(msg) from error


def _why_not_written(error: RuntimeError, draft: Path) -> str:
    """The error in words; OpenVINO says of a full disk no more than that a stream failed."""
    said = reason(error)
    if "iostream" not in said:
        return said
    return f"the disk has {shutil.disk_usage(draft.parent).free / 1e6:.3g} MB left, and more is needed"


def read_provenance(model: ov.Model) -> dict[str, Any]:
    """The notes of `save_candidate` in a model: version, plan, tuning, evaluation; empty for other models."""
    found: dict[str, Any] = {}
    for path in (VERSION_NOTE, PLAN_NOTE, _TUNED, _EVALUATION):
        if model.has_rt_info(path):
            text = str(model.get_rt_info(path).value)
            found[path[-1]] = text if path is VERSION_NOTE else json.loads(text)
    return found
