"""Repairs pruned models level by level, and keeps them: each pruning takes its runs once."""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import openvino as ov

from autoq.calibration import ModelInputs, SampleRun
from autoq.core import DataError, StoredFileError, drafted_folder
from autoq.graph import ChannelGraph, core
from autoq.transform.prune import repair_in_turn

_MODEL = "model.xml"
# A search repairs many prunings, and each takes a run over the samples for each level.
_MOST_SAMPLES = 100


@dataclass(frozen=True, slots=True)
class InTurn:
    """Repairs layers one after the other.

    Attributes:
        run: What models are run on, of which a hundred samples are used at most; its folder keeps repaired models.
    """

    run: SampleRun

    def kept(self, fingerprint: str) -> ov.Model | None:
        """The repaired model that the folder keeps; None if it keeps none.

        Args:
            fingerprint: Digest of what was removed, and how.

        Raises:
            StoredFileError: It cannot be read, and no data are given to make it again.
            DataError: There is none, and no data are given to make it.
        """
        path = self._path(fingerprint)
        if path is not None and path.exists():
            try:
                return core().read_model(path)
            except RuntimeError as error:
                damaged = f"{path} does not read as a pruned model"
                if self.run.inputs is None:
                    msg = f"{damaged}, and no data are given to make it again."
                    raise StoredFileError(msg) from error
                warnings.warn(f"a model is pruned again: {damaged}", stacklevel=2)
                return None
        self._given(path)
        return None

    def repair(
        self, fingerprint: str, pruned: ov.Model, model: ov.Model, graph: ChannelGraph, removed: Collection[int]
    ) -> None:
        """Repairs a pruned model, and keeps it.

        Args:
            fingerprint: See `kept`, which has found none.
            pruned: The model without the channels, repaired as far as that takes no run; it is changed.
            model: The model with them; never modified.
            graph: Its channels.
            removed: Numbers of the channels that are gone.
        """
        path, samples = self._path(fingerprint), min(self.run.samples, _MOST_SAMPLES)
        repair_in_turn(
            pruned, model, graph, removed, self._given(path), subset_size=samples, reset_state=self.run.reset_state
        )
        if path is not None:
            with drafted_folder(path.parent) as draft:
                ov.serialize(pruned, draft / _MODEL)

    def _given(self, path: Path | None) -> ModelInputs:
        if self.run.inputs is None:
            msg = f"{path} is missing: a pruned model is repaired by runs of it, and no data are given."
            raise DataError(msg)
        return self.run.inputs

    def _path(self, fingerprint: str) -> Path | None:
        # Another version may repair in another way.
        folder = self.run.folder
        return None if folder is None else folder / f"repaired-{fingerprint}-{version('autoq')}" / _MODEL
