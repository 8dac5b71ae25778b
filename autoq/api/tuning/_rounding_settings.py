"""The parameters of `autoq.learn_rounding` as a user writes them: parsed and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from autoq.api.tuning._settings import DISTANCES, above_zero, folder_of, torch_name
from autoq.core import ConfigError, quoted, whole_number


@dataclass(frozen=True, slots=True)
class RoundingSettings:
    """Checked parameters of `autoq.learn_rounding`.

    Attributes:
        steps: Steps of each block.
        timeout_s: Seconds for all blocks; None without a limit.
        distance: "kl" or "nmse"; None decides by the outputs.
        batch_size: Samples of a step.
        seed: Of the order of the samples.
        device: PyTorch's device; None takes a GPU if there is one.
        checkpoint: Folder of the blocks that have learned; None keeps none.
    """

    steps: int
    timeout_s: float | None
    distance: str | None
    batch_size: int
    seed: int
    device: str | None
    checkpoint: Path | None

    @classmethod
    def of(
        cls,
        *,
        steps: object,
        timeout_s: object,
        loss: object,
        batch_size: object,
        seed: object,
        device: object,
        checkpoint: object = None,
    ) -> Self:
        """Reads the parameters.

        Raises:
            ConfigError: A number is out of bounds, or a word is unknown.
        """
        if loss is not None and loss not in DISTANCES:
            msg = f"loss is {quoted(loss)}: it must be one of {DISTANCES}."
            raise ConfigError(msg)
        return cls(
            steps=whole_number(steps, "steps", least=1, error=ConfigError),
            timeout_s=None if timeout_s is None else above_zero("timeout_s", timeout_s, "a number of seconds"),
            distance=None if loss is None else str(loss),
            batch_size=whole_number(batch_size, "batch_size", least=1, error=ConfigError),
            seed=whole_number(seed, "seed", least=0, error=ConfigError),
            device=torch_name(device),
            checkpoint=folder_of(checkpoint),
        )
