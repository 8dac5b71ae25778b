"""A training in a file, from which another process goes on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from autoq.core import StoredFileError, drafted, named_reason

_VERSION = 3


class TuningCheckpoint:
    """The state of a training in a folder. It is written whole or not at all.

    Args:
        folder: The folder; it is made where it is missing.
        identity: What the training depends on: another one does not go on from this file.
        name: Name of the file.
    """

    def __init__(self, folder: Path, identity: str, name: str = "training.pt") -> None:
        self._path = folder / name
        self._identity = identity

    def read(self) -> dict[str, Any] | None:
        """The state; None where there is none yet.

        Raises:
            StoredFileError: The file is damaged, or belongs to another training.
        """
        if not self._path.exists():
            return None
        try:
            found = torch.load(self._path, map_location="cpu", weights_only=True)
            version, identity, state = found["version"], found["identity"], found["state"]
        except Exception as error:
            msg = f"checkpoint {str(self._path)!r} cannot be read: {named_reason(error)} Remove it to begin anew."
            raise StoredFileError(msg) from error
        if version != _VERSION or identity != self._identity:
            msg = (
                f"checkpoint {str(self._path)!r} belongs to another training: the model, the teacher, the number of "
                "samples or an option differs. Name another folder, or remove it."
            )
            raise StoredFileError(msg)
        return dict(state)

    def write(self, state: dict[str, Any]) -> None:
        """Keeps a state.

        Raises:
            OutputError: The file cannot be written.
        """
        buffer = io.BytesIO()
        torch.save({"version": _VERSION, "identity": self._identity, "state": state}, buffer)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with drafted(self._path) as draft:
            draft.write_bytes(buffer.getbuffer())
