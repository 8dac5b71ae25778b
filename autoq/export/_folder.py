"""Saves models as folders that Optimum Intel and OpenVINO GenAI load."""

from __future__ import annotations

import shutil
from pathlib import Path

import openvino as ov

from autoq.core import OutputError, check_not_inputs, drafted_together
from autoq.export._save import check_folder, write_ir
from autoq.graph import FOLDER_MODEL, model_files

CONFIG = "config.json"
# Files of a tokenizer or of another processor, and what tells how to generate.
_BESIDE = (
    "generation_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "*.model",
    "chat_template.*",
    "openvino_tokenizer.*",
    "openvino_detokenizer.*",
    "*processor_config.json",
)


def check_model_folder(folder: Path, source: str | None) -> list[Path]:
    """Checks, before any work, that a model can be saved to a folder with the files beside its float model.

    Args:
        folder: The folder; files of other names in it stay.
        source: Path of the float model; None where it came from no file.

    Returns:
        The files beside the float model: its `config.json`, and those of its tokenizer.

    Raises:
        OutputError: There is no `config.json` beside the float model, the folder cannot be written to, or files that
            are read would be written over.
    """
    files = model_files(source)
    beside = files[0].parent if files else None
    if beside is None or not (beside / CONFIG).is_file():
        where = "came from no file" if beside is None else f"has no {CONFIG} beside it, in {str(beside)!r}"
        msg = f"Optimum Intel needs {CONFIG}, but the float model {where}: give a model in a folder that has one."
        raise OutputError(msg)
    found = {path.name: path for name in _BESIDE for path in sorted(beside.glob(name)) if path.is_file()}
    copied = [beside / CONFIG, *found.values()]
    check_folder(folder)
    check_not_inputs(_written(folder, copied), [*files, *copied])
    return copied


def save_folder(model: ov.Model, folder: Path, beside: list[Path]) -> Path:
    """Saves a model as a folder: `openvino_model.xml`, its weights, and copies of other files.

    At no moment is the model beside files of another one.

    Args:
        model: The model.
        folder: The folder; files of other names in it stay.
        beside: The files that are copied.

    Returns:
        The folder.

    Raises:
        OutputError: It cannot be written there.
    """
    first, *others = _written(folder, beside)
    with drafted_together(first, *others) as draft:
        write_ir(model, draft / first.name, first)
        for path in beside:
            shutil.copyfile(path, draft / path.name)
    return folder


def _written(folder: Path, copied: list[Path]) -> list[Path]:
    xml = folder / FOLDER_MODEL
    return [xml, xml.with_suffix(".bin"), *(folder / path.name for path in copied)]
