"""The tuned models of a search, by their digests: no plan builds them again."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import openvino as ov

from autoq.api.results._kept_model import keep_model, read_kept
from autoq.core import Format, StoredFileError, file_name, quoted
from autoq.graph import model_digest

_FORMAT = Format("a tuned model", advice="tune the trial again, under another `finetune`")


@dataclass(frozen=True, slots=True)
class TunedModels:
    """Keeps tuned models in a folder, or in memory.

    Attributes:
        folder: Has a folder for each model; None keeps them in memory.
    """

    folder: Path | None
    _held: dict[str, ov.Model] = field(default_factory=dict)

    def keep(self, model: ov.Model) -> str:
        """Keeps a model, and gives its digest.

        Raises:
            OutputError: The model cannot be written.
        """
        digest = model_digest(model)
        if self.folder is None:
            self._held[digest] = model
        else:
            keep_model(model, self._path(digest), _FORMAT)
        return digest

    def read(self, digest: str) -> ov.Model:
        """The model of a digest; a new one at each call.

        Raises:
            StoredFileError: The model is missing or damaged.
        """
        if self.folder is not None:
            return read_kept(self._path(digest), _FORMAT)
        if digest not in self._held:
            msg = f"tuned model {quoted(digest)} was kept in memory by the process that made it: search with `out`."
            raise StoredFileError(msg)
        return self._held[digest].clone()

    def _path(self, digest: str) -> Path:
        if self.folder is None or file_name(digest) != digest:
            msg = f"{quoted(digest)} is no digest of a tuned model."
            raise StoredFileError(msg)
        return self.folder / digest / "model.xml"
