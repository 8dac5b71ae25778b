"""The folder of a run: what stands where, so that every command finds it again."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.core import OutputError


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths inside one run's folder.

    Attributes:
        path: The folder.
    """

    path: Path

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> RunFolder:
        """Makes the folder, or takes one that is there.

        Raises:
            OutputError: It cannot be made or written to.
        """
        folder = cls(Path(path))
        try:
            folder.cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"output folder {str(path)!r} cannot be made: {error.strerror}; name a folder that can be written to."
            raise OutputError(msg) from None
        if not (os.access(folder.path, os.W_OK) and os.access(folder.cache, os.W_OK)):
            msg = f"output folder {str(path)!r} cannot be written to; name another one."
            raise OutputError(msg)
        return folder

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """A folder that a search has written, or writes.

        Raises:
            OutputError: There is no search in it, or one that still prepares.
        """
        folder = cls(Path(path))
        if not (folder.run.exists() or folder.best_so_far.exists()):
            msg = (
                f"{str(path)!r} holds no search: there is no run.json in it, and no best.json of one that goes on; "
                "name the folder that `search` wrote to."
            )
            raise OutputError(msg)
        return folder

    @property
    def cache(self) -> Path:
        """Folder of what a resumed search need not compute again."""
        return self.path / "cache"

    @property
    def scores(self) -> Path:
        """Folder of the candidates' per-sample scores."""
        return self.cache / "scores"

    @property
    def storage(self) -> str:
        """Optuna URL of the study."""
        # In a URL, a path ends at a question mark.
        path = str(self.path / "study.db").replace("%", "%25").replace("?", "%3F")
        return f"sqlite:///{path}"

    def float_model(self, digest: str) -> Path:
        """The float model of a search, so that candidates can be built again without the user's code.

        Args:
            digest: Of the search's model and calibration data: what is computed of these has a folder of its own.
        """
        return self.cache / digest / "float.xml"

    @property
    def run(self) -> Path:
        """What the search was asked and what it found, as JSON."""
        return self.path / "run.json"

    @property
    def best_so_far(self) -> Path:
        """The best of a search that goes on, or was killed, as JSON; the result takes its place."""
        return self.path / "best.json"

    @property
    def best(self) -> Path:
        """The chosen model."""
        return self.path / "best.xml"

    def keep_float_model(self, model: ov.Model, digest: str) -> None:
        """Saves the float model, in full precision, with the names that the statistics of this session have."""
        path = self.float_model(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name("float.part.xml")
        ov.save_model(model, draft, compress_to_fp16=False)
        draft.with_suffix(".bin").replace(path.with_suffix(".bin"))
        draft.replace(path)

    def write_json(self, path: Path, values: Any) -> Path:  # any JSON value
        """Writes JSON whole or not at all."""
        draft = path.with_suffix(".part")
        draft.write_text(json.dumps(values, indent=1) + "\n", "utf-8")
        return draft.replace(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second search out of the folder; the lock ends with the process.

        Raises:
            OutputError: Another search runs in the folder.
        """
        with (self.cache / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                msg = f"another search is running in {str(self.path)!r}; wait for it or name another folder."
                raise OutputError(msg) from None
            yield
