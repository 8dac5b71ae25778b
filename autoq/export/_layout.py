"""The layouts of a saved model: an IR, or a folder for other tools."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import openvino as ov

from autoq.core import FileLayout, OutputError, check_not_inputs, path_of
from autoq.export._folder import check_model_folder, save_folder
from autoq.export._save import check_model_path, save_model
from autoq.graph import model_files


def saver(path: str | os.PathLike[str], layout: FileLayout, source: str | None) -> Callable[[ov.Model], Path]:
    """Checks, before any work, that a model can be saved.

    Args:
        path: Path of the `.xml`, or the folder, as the layout says.
        layout: An IR; or a folder, with the files beside the float model.
        source: Path of the float model, which is never overwritten; None where it came from no file.

    Returns:
        A function that saves the model, and gives the path of what it wrote.

    Raises:
        OutputError: A model cannot be written there, the float model is there, or lacks files that the layout needs.
    """
    place = path_of(path, "model path" if layout is FileLayout.IR else "folder", OutputError)
    if layout is FileLayout.OPTIMUM:
        beside = check_model_folder(place, source)
        return lambda model: save_folder(model, place, beside)
    check_model_path(place)
    check_not_inputs([place, place.with_suffix(".bin")], model_files(source))
    return lambda model: save_model(model, place)
