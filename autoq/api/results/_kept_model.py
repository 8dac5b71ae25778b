"""Models in the folder of a run, each in a folder of its own beside the digests of its files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.core import DataError, Format, drafted_folder, read_record, write_record
from autoq.export import write_ir
from autoq.graph import read_model

# Beside a model: the digests of its files.
_FILES = "files.json"


def keep_model(model: ov.Model, path: Path, form: Format) -> None:
    """Saves a model in full precision, whole or not at all. Its operations keep their names.

    Args:
        model: The model.
        path: Path of the `.xml`, in a folder that holds nothing else.
        form: What the model is, for errors.

    Raises:
        OutputError: The model cannot be written.
    """
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    with drafted_folder(path.parent) as draft:
        write_ir(model, draft / path.name, path)
        write_record(draft / _FILES, form, _digests(draft, path.stem))


def read_kept(path: Path, form: Format) -> ov.Model:
    """Reads a model that `keep_model` saved.

    Args:
        path: Path of the `.xml`.
        form: What the model is, for errors.

    Raises:
        StoredFileError: The model is missing or damaged.
    """

    def check(values: dict[str, Any]) -> None:
        for name, found in _digests(path.parent, path.stem).items():
            if values.get(name) != found:
                msg = f"{name} is not the file that was written"
                raise DataError(msg)

    read_record(path.parent / _FILES, form, check)
    return read_model(path)


def _digests(folder: Path, stem: str) -> dict[str, str]:
    """Digests of the two files of an IR in a folder, by file name."""
    found = {}
    for path in (folder / f"{stem}.xml", folder / f"{stem}.bin"):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    return found
