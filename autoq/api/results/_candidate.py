"""A measured trial and its model."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import openvino as ov

from autoq.api.results._verdict import describe
from autoq.core import WIDTH, FileLayout, PlanError, cut
from autoq.evaluation.candidate import Evaluation
from autoq.export import noted_candidate, saver
from autoq.searching.records import TrialRecord

Build = Callable[[TrialRecord], ov.Model]


@dataclass(frozen=True)
class Candidate:
    """One measured trial and its model.

    Attributes:
        record: The trial.
        build: Builds its model; a new one at each call.
        source: Path of the float model, which is never overwritten; None where it is unknown.
    """

    record: TrialRecord
    build: Build
    source: str | None = None

    def __repr__(self) -> str:
        said = f"failed: {self.record.error}" if self.record.evaluation is None else self.describe()
        return cut(f"Candidate {said}", WIDTH)

    @property
    def evaluation(self) -> Evaluation:
        """Accuracy, latency, size and execution."""
        if self.record.evaluation is None:
            msg = f"trial {self.record.number} failed and has no evaluation: {self.record.error}"
            raise PlanError(msg)
        return self.record.evaluation

    @cached_property
    def model(self) -> ov.Model:
        """The quantized model."""
        return self.build(self.record)

    def save(self, path: str | os.PathLike[str], *, layout: FileLayout | str = FileLayout.IR) -> Path:
        """Saves the model, with plan and evaluation as model-level rt_info.

        Args:
            path: Path of the `.xml`; the `.bin` is written beside it. With the layout "optimum", a folder.
            layout: "ir", or "optimum": a folder that Optimum Intel loads, with `openvino_model.xml`. It has copies of
                `config.json` and the files of the tokenizer that stand beside the float model.

        Raises:
            OutputError: The model cannot be written there, the float model is there, or it has no `config.json`.
            PlanError: The layout is unknown.
        """
        save = saver(path, FileLayout.parse(layout), self.source)
        return save(noted_candidate(self.model, self.record))

    def describe(self) -> str:
        """Drop and speed-up with their intervals, in one line."""
        return describe(self.record)
