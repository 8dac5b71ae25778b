"""What learned rounding is to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openvino as ov

from autoq.training.tuning import Distance


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundingTask:
    """What is learned, and how.

    Attributes:
        model: The model; never modified.
        teacher: The float model.
        items: Inputs.
        steps: Steps of each block.
        seconds: Seconds for all; None without a limit.
        batch_size: Samples of a step.
        seed: Of the order of the samples.
        device: Where PyTorch computes; None takes a GPU if there is one.
        distance: Distance of the outputs that decides at the end; None decides by the outputs.
        checkpoint: Folder that keeps each block that has learned; None keeps none.
        progress: Told of what is done, and of all.
    """

    model: ov.Model
    teacher: ov.Model
    items: Sequence[Any]
    steps: int
    seconds: float | None
    batch_size: int
    seed: int
    device: str | None
    distance: Distance | None
    checkpoint: Path | None
    progress: Callable[[int, int], None] | None
