"""The folder of a run: the paths that every command uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import openvino as ov

from autoq.api.results._kept_model import keep_model, read_kept
from autoq.core import (
    Format,
    OutputError,
    file_name,
    made_folder,
    path_in_url,
    path_of,
    read_record,
    reason,
    sweep,
    sweep_temporary,
    write_record,
)
from autoq.stores import FileLease, leased, locked

# The file that names the search of a folder, and the folder inside for searches of other names.
_CLAIM, _INSIDE = "search.json", "searches"
_LOCK, _CLAIM_S = f".{_CLAIM}.lock", 30.0
_OWNER = Format("the name of a folder's search", advice="remove it: the next search has the folder")
_FLOAT_MODEL = Format("the float model of a search", advice="start the search again: it goes on, and writes it anew")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths inside one run's folder.

    Attributes:
        path: The folder.
    """

    path: Path

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> RunFolder:
        """Makes the folder, or takes one that exists.

        Raises:
            OutputError: The folder cannot be made or written to.
        """
        place = path_of(path, "output folder", OutputError)
        try:
            str(place.absolute()).encode()
        except UnicodeEncodeError:
            msg = (
                f"output folder {str(place)!r} has a name that is not valid UTF-8, which databases need: name another."
            )
            raise OutputError(msg) from None
        folder = cls(made_folder(place, "output folder"))
        made_folder(folder.cache, "output folder")
        return folder

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """A folder that a search has written, or is writing.

        Raises:
            OutputError: The folder holds no search, or a search that still prepares.
        """
        folder = cls(path_of(path, "folder of a search", OutputError))
        if not folder.is_run:
            msg = (
                f"{str(path)!r} holds no search: there is no run.json in it, and no best.json of one that goes on; "
                "name the folder that `search` wrote to."
            )
            raise OutputError(msg)
        return folder

    @property
    def is_run(self) -> bool:
        """Whether a search has written this folder, or is writing it."""
        return self.run.exists() or self.best_so_far.exists()

    @property
    def has_work(self) -> bool:
        """Whether there is anything in it that a search does not do again."""
        return any(path.is_file() and path.name not in {_CLAIM, _LOCK} for path in self.path.rglob("*"))

    @property
    def cache(self) -> Path:
        """Folder of what a resumed search need not compute again. Searches inside one folder share it."""
        inside = self.path.parent.name == _INSIDE and (self.path.parent.parent / _CLAIM).exists()
        return RunFolder(self.path.parent.parent).cache if inside else self.path / "cache"

    @property
    def scores(self) -> Path:
        """Folder of the candidates' per-sample scores."""
        return self.cache / "scores"

    @property
    def storage(self) -> str:
        """Optuna URL of the study."""
        return f"sqlite:///{path_in_url(self.path / 'study.db')}"

    def float_model(self, digest: str) -> Path:
        """The float model of a search, so that candidates can be built again without the user's code.

        Args:
            digest: Digest of the search's model and calibration data. Each digest has a folder of its own.
        """
        return self.cache / digest / "float" / "model.xml"

    @property
    def tuned(self) -> Path:
        """Folder of the tuned models, which no plan builds again."""
        return self.path / "tuned"

    def training(self, name: str) -> Path:
        """Folder of the state of a training that is not finished."""
        return self.cache / "training" / name

    @property
    def run(self) -> Path:
        """The request of the search and its result, as JSON."""
        return self.path / "run.json"

    @property
    def best_so_far(self) -> Path:
        """The best trial so far of a search that is running or was killed, as JSON; the result replaces it."""
        return self.path / "best.json"

    @property
    def best(self) -> Path:
        """The chosen model. Its folder also holds its weights, its plan and its numbers, all of one trial."""
        return self.path / "best" / "model.xml"

    def keep_float_model(self, model: ov.Model, digest: str) -> None:
        """Saves the float model in full precision. Its operations have the names that this session's statistics use.

        Raises:
            OutputError: The model cannot be written.
        """
        keep_model(model, self.float_model(digest), _FLOAT_MODEL)

    def read_float_model(self, digest: str) -> ov.Model:
        """Reads the model that `keep_float_model` saved.

        Raises:
            StoredFileError: The model is missing or damaged.
        """
        return read_kept(self.float_model(digest), _FLOAT_MODEL)

    def sweep(self) -> int:
        """Removes files that ended processes left half written. Call it only while no other process writes here.

        Returns:
            The number of files removed.
        """
        kept = (path for path in self.cache.glob("**/") if not path.name.startswith("."))
        return sum(sweep(path) for path in {self.path, self.tuned, *kept}) + sweep_temporary()

    def of_search(self, name: str) -> RunFolder:
        """The folder that a search of this name writes to: this one, or one inside it where another name has this one.

        So several searches of one folder exist side by side, and share what was computed from a model and its data.

        Raises:
            OutputError: The folder cannot be made or written to.
            StoredFileError: The file that names the search of this folder cannot be read.
        """
        claim = self.path / _CLAIM
        try:
            with locked(self.path / _LOCK, wait_s=_CLAIM_S):
                if not claim.exists():
                    write_record(claim, _OWNER, {"name": name})
        except (OSError, TimeoutError) as error:
            msg = f"output folder {str(self.path)!r} cannot be locked: {reason(error)}; name another one."
            raise OutputError(msg) from None
        if read_record(claim, _OWNER, lambda values: str(values["name"])) == name:
            return self
        return RunFolder.create(self.path / _INSIDE / file_name(name)).of_search(name)

    @contextmanager
    def leased(self) -> Iterator[None]:
        """Keeps a second search out of the folder, and removes what killed searches left in it.

        Raises:
            BusyError: Another search works in the folder; the message names the process.
        """
        what, advice = f"output folder {str(self.path)!r}", "wait for it, end it, or name another folder"
        with leased(FileLease(self.path / ".lock"), what, advice):
            self.sweep()
            yield
