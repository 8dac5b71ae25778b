"""The samples that a search runs its model on, and models that are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autoq.calibration.sources import ModelInputs
from autoq.core import ResetState


@dataclass(frozen=True, slots=True)
class SampleRun:
    """What a model is run on, and where it is kept what the run shows.

    Attributes:
        inputs: Calibration inputs; None takes what the folder keeps.
        folder: Folder of the cache for the float model and its data; None keeps nothing.
        samples: Number of samples that a model is run on, from the first one.
        reset_state: When the state of a model is reset.
    """

    inputs: ModelInputs | None
    folder: Path | None
    samples: int
    reset_state: ResetState = ResetState.SAMPLE
