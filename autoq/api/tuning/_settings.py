"""The parameters of a tuning as a user writes them: parsed and checked."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from autoq.api.tuning._sparsity import sparsity_of
from autoq.core import (
    Augmentation,
    ConfigError,
    PlanError,
    Sparsity,
    is_number,
    path_of,
    quoted,
    whole_number,
)

_LENGTHS = "epochs, steps or timeout_s"
DISTANCES = ("kl", "nmse")
PRECISIONS = ("f32", "bf16")


@dataclass(frozen=True, slots=True)
class TuningSettings:
    """Checked parameters of `autoq.finetune`.

    Attributes:
        epochs: How often each sample is trained on; None if another length is given.
        steps: Number of steps; None if another length is given.
        timeout_s: Seconds; None if another length is given.
        rate: Highest learning rate; None holds a race.
        loss: The user's loss; None without one.
        distance: "kl" or "nmse"; None decides by the outputs.
        loss_share: Share of the user's loss beside the distance to the teacher.
        batch_size: Samples of a step.
        seed: Of the order of the samples.
        device: PyTorch's device; None takes a GPU if there is one.
        checkpoint: Folder of the state; None keeps none.
        sparsity: Zeros among the weights; None makes none.
        lora_rank: Rank of the adapters of compressed matrices; None learns all of their numbers.
        augment: Views of the samples that are trained on; None decides by the data.
        precision: What products are computed in, "f32" or "bf16"; None decides by the device.
    """

    epochs: int | None
    steps: int | None
    timeout_s: float | None
    rate: float | None
    loss: Callable[[Any, Any], Any] | None
    distance: str | None
    loss_share: float
    batch_size: int
    seed: int
    device: str | None
    checkpoint: Path | None
    sparsity: Sparsity | None
    lora_rank: int | None
    augment: tuple[Augmentation, ...] | None
    precision: str | None

    @classmethod
    def of(
        cls,
        *,
        epochs: object = None,
        steps: object = None,
        timeout_s: object = None,
        lr: object = "auto",
        loss: object = None,
        loss_share: object = 0.5,
        batch_size: object = 32,
        seed: object = 0,
        device: object = "auto",
        checkpoint: object = None,
        sparsity: object = None,
        lora_rank: object = None,
        augment: object = "auto",
        precision: object = "auto",
    ) -> Self:
        """Reads the parameters.

        Raises:
            ConfigError: A number is out of bounds, or not exactly one length is given.
        """
        lengths = {"epochs": epochs, "steps": steps, "timeout_s": timeout_s}
        given = [name for name, value in lengths.items() if value is not None]
        if len(given) != 1:
            what = "none of them is" if not given else f"{' and '.join(given)} are"
            msg = f"give one of {_LENGTHS}, the length of the training: {what} given."
            raise ConfigError(msg)
        own = loss if callable(loss) else None
        if own is None and loss is not None and loss not in DISTANCES:
            msg = f"loss is {quoted(loss)}: it must be a function of (outputs, targets), or one of {DISTANCES}."
            raise ConfigError(msg)
        if lora_rank is not None and sparsity is not None:
            msg = "lora_rank and sparsity are given: adapters would fill the zeros; give one of them."
            raise ConfigError(msg)
        return cls(
            epochs=None if epochs is None else whole_number(epochs, "epochs", least=1, error=ConfigError),
            steps=None if steps is None else whole_number(steps, "steps", least=1, error=ConfigError),
            timeout_s=None if timeout_s is None else above_zero("timeout_s", timeout_s, "a number of seconds"),
            rate=None if lr == "auto" else above_zero("lr", lr, "'auto', or a learning rate"),
            loss=own,
            distance=loss if own is None and isinstance(loss, str) else None,
            loss_share=_share(loss_share),
            batch_size=whole_number(batch_size, "batch_size", least=1, error=ConfigError),
            seed=whole_number(seed, "seed", least=0, error=ConfigError),
            device=torch_name(device),
            checkpoint=folder_of(checkpoint),
            sparsity=None if sparsity is None else sparsity_of(sparsity),
            lora_rank=None if lora_rank is None else whole_number(lora_rank, "lora_rank", least=1, error=ConfigError),
            augment=_views(augment),
            precision=_precision(precision),
        )


def torch_name(device: object) -> str | None:
    """The name of PyTorch's device; None for "auto".

    Raises:
        ConfigError: It is no text.
    """
    if not isinstance(device, str) or not device:
        msg = f"device is {quoted(device)}: it must be 'auto', 'cpu', 'cuda' or another device of PyTorch."
        raise ConfigError(msg)
    return None if device == "auto" else device


def folder_of(checkpoint: object) -> Path | None:
    """The folder that a training is kept in; None keeps none.

    Raises:
        ConfigError: It is no path.
    """
    if checkpoint is None:
        return None
    if not isinstance(checkpoint, str | os.PathLike):
        msg = f"checkpoint is {quoted(checkpoint)}: it must be the path of a folder."
        raise ConfigError(msg)
    return path_of(checkpoint, "checkpoint", ConfigError)


def above_zero(name: str, value: object, meaning: str) -> float:
    """A finite number above zero.

    Raises:
        ConfigError: It is another one.
    """
    if not is_number(value) or not 0 < float(value) < math.inf:  # type: ignore[arg-type]
        msg = f"{name} is {quoted(value)}: it must be {meaning} above 0."
        raise ConfigError(msg)
    return float(value)  # type: ignore[arg-type]


def _views(value: object) -> tuple[Augmentation, ...] | None:
    """The words of `augment`; None for "auto"."""
    if value == "auto":
        return None
    if value is None or value == "none":
        return ()
    words = value.replace(",", " ").split() if isinstance(value, str) else value
    if not isinstance(words, Sequence) or not words:
        msg = f"augment is {quoted(value)}: it must be 'auto', 'none', or some of {', '.join(Augmentation)}."
        raise ConfigError(msg)
    try:
        found = tuple(Augmentation.parse(word) for word in words)
    except PlanError as error:
        raise ConfigError(str(error)) from None
    if len(set(found)) < len(found):
        msg = f"augment is {quoted(value)}: it names one word twice."
        raise ConfigError(msg)
    return found


def _precision(value: object) -> str | None:
    """The precision of products; None for "auto"."""
    if value == "auto":
        return None
    if not isinstance(value, str) or value not in PRECISIONS:
        msg = f"precision is {quoted(value)}: it must be 'auto', {' or '.join(map(repr, PRECISIONS))}."
        raise ConfigError(msg)
    return value


def _share(value: object) -> float:
    if not is_number(value) or not 0 < float(value) <= 1:  # type: ignore[arg-type]
        msg = f"loss_share is {quoted(value)}: it must be a share above 0, and at most 1."
        raise ConfigError(msg)
    return float(value)  # type: ignore[arg-type]
