"""Saves a candidate as IR that says where it comes from."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.core import OutputError
from autoq.search import TrialRecord, evaluation_to_dict

_PLAN = ["autoq", "plan"]
_EVALUATION = ["autoq", "evaluation"]
_VERSION = ["autoq", "version"]


def save_candidate(model: ov.Model, record: TrialRecord, path: Path) -> Path:
    """Saves a candidate's model, with plan and evaluation as model-level rt_info; others' rt_info is left alone.

    The weights appear before the model that names them, each whole, so that a reader never finds half a model.

    Args:
        model: The candidate; never modified.
        record: Its trial.
        path: Of the `.xml`; the `.bin` stands beside it.

    Returns:
        The path.

    Raises:
        OutputError: The path is no `.xml`, or cannot be written.
    """
    if path.suffix != ".xml":
        msg = f"model path {str(path)!r} must end in .xml; the weights are written beside it as .bin."
        raise OutputError(msg)
    clone = model.clone()
    clone.set_rt_info(version("autoq"), _VERSION)
    clone.set_rt_info(record.plan.to_json(), _PLAN)
    if record.evaluation is not None:
        summary = evaluation_to_dict(record.evaluation)
        del summary["execution"]
        clone.set_rt_info(json.dumps(summary), _EVALUATION)
    draft = path.with_name(f".{path.stem}.part.xml")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ov.save_model(clone, draft, compress_to_fp16=False)
        draft.with_suffix(".bin").replace(path.with_suffix(".bin"))
        return draft.replace(path)
    except (OSError, RuntimeError) as error:
        for leftover in (draft, draft.with_suffix(".bin")):
            leftover.unlink(missing_ok=True)
        msg = f"model cannot be saved to {str(path)!r}: {getattr(error, 'strerror', None) or 'it is not writable'}."
        raise OutputError(msg) from error


def read_provenance(model: ov.Model) -> dict[str, Any]:
    """What `save_candidate` noted in a model: version, plan, evaluation; empty for any other model."""
    found: dict[str, Any] = {}
    for path in (_VERSION, _PLAN, _EVALUATION):
        if model.has_rt_info(path):
            text = str(model.get_rt_info(path).value)
            found[path[-1]] = text if path is _VERSION else json.loads(text)
    return found
