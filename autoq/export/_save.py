"""Saves a candidate as IR that says where it comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.core import OutputError, drafted_together, made_folder, path_of, quoted, reason
from autoq.searching.records import TrialRecord, evaluation_to_dict
from autoq.transform import PLAN_NOTE, VERSION_NOTE, note_plan

_EVALUATION = ["autoq", "evaluation"]


def save_candidate(model: ov.Model, record: TrialRecord, path: Path) -> Path:
    """Saves a candidate's model, with plan and evaluation as model-level rt_info; others' rt_info is left alone.

    Args:
        model: The candidate; never modified.
        record: Its trial.
        path: Of the `.xml`; the `.bin` stands beside it.

    Returns:
        The path.

    Raises:
        OutputError: The path is no `.xml`, or cannot be written.
    """
    clone = model.clone()
    note_plan(clone, record.plan)
    if record.evaluation is not None:
        summary = evaluation_to_dict(record.evaluation)
        del summary["execution"]
        clone.set_rt_info(json.dumps(summary), _EVALUATION)
    return save_model(clone, path)


def check_model_path(path: Path) -> Path:
    """A path that a model can be saved to, before the work that makes it.

    Raises:
        OutputError: It is no `.xml`, or its folder cannot be made or written to.
    """
    if path_of(path, "model path", OutputError).suffix != ".xml":
        msg = f"model path {quoted(str(path))} must end in .xml; the weights are written beside it as .bin."
        raise OutputError(msg)
    check_folder(path.parent)
    return path


def check_folder(folder: Path) -> None:
    """Makes a folder that something will be written to, before the work that makes what is written.

    Raises:
        OutputError: It cannot be made or written to.
    """
    made_folder(folder, "folder")


def save_model(model: ov.Model, path: Path) -> Path:
    """Saves a model as IR: at no moment is there an `.xml` beside the `.bin` of another model.

    Raises:
        OutputError: The path is no `.xml`, or cannot be written.
    """
    check_model_path(path)
    with drafted_together(path, path.with_suffix(".bin")) as folder:
        write_ir(model, folder / path.name, path)
    return path


def write_ir(model: ov.Model, draft: Path, path: Path) -> None:
    """Writes a model as IR into the draft of a path.

    Raises:
        OutputError: It cannot be written there.
    """
    try:
        ov.save_model(model, draft, compress_to_fp16=False)
    except RuntimeError as error:
        msg = f"model cannot be saved to {str(path)!r}: {reason(error)}."
        raise OutputError(msg) from error


def read_provenance(model: ov.Model) -> dict[str, Any]:
    """What `save_candidate` noted in a model: version, plan, evaluation; empty for any other model."""
    found: dict[str, Any] = {}
    for path in (VERSION_NOTE, PLAN_NOTE, _EVALUATION):
        if model.has_rt_info(path):
            text = str(model.get_rt_info(path).value)
            found[path[-1]] = text if path is VERSION_NOTE else json.loads(text)
    return found
