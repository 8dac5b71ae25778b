"""A block that has learned, in a file: a process that was stopped goes on behind it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from autoq.training.rounding._learn_block import BlockCourse
from autoq.training.rounding._weights import Rounded
from autoq.training.tuning import TuningCheckpoint

# Levels of so many fit into a byte.
_BYTE = 256


class KeptBlock:
    """The file of a block.

    Args:
        folder: The folder of all blocks.
        number: Of the block.
        identity: What its numbers depend on.
    """

    def __init__(self, folder: Path, number: int, identity: str) -> None:
        self._file = TuningCheckpoint(folder, identity, f"block-{number}.pt")

    def read(self) -> tuple[dict[str, Rounded], BlockCourse, float] | None:
        """Its weights by name, how it learned, and the seconds until then; None where it has not learned yet.

        Raises:
            StoredFileError: The file is damaged, or belongs to another training.
        """
        found = self._file.read()
        if found is None:
            return None
        rounded = {name: Rounded(_floats(level), _floats(scale)) for name, (level, scale) in found["rounded"].items()}
        return rounded, BlockCourse(*found["course"]), float(found["seconds"])

    def write(self, rounded: Mapping[str, Rounded], course: BlockCourse, seconds: float) -> None:
        """Keeps it.

        Args:
            rounded: Its weights by name.
            course: How it learned.
            seconds: All seconds until now.

        Raises:
            OutputError: The file cannot be written.
        """
        numbers = {name: (_whole(one.level), torch.from_numpy(one.scale.copy())) for name, one in rounded.items()}
        course_numbers = (course.before, course.after, course.steps)
        self._file.write({"rounded": numbers, "course": course_numbers, "seconds": seconds})


def _whole(level: Any) -> torch.Tensor:
    return torch.from_numpy(level.astype(np.uint8 if level.max(initial=0) < _BYTE else np.int32))


def _floats(values: torch.Tensor) -> Any:
    return values.numpy().astype(np.float32)
