"""The `finetune` of a search, read and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import openvino as ov

from autoq.api.tuning._finetune import check_torch
from autoq.api.tuning._settings import TuningSettings
from autoq.calibration import ModelInputs, as_inputs
from autoq.core import ConfigError, DataError, counted, digest_of, known_keys, whole_number
from autoq.evaluation.scoring import ValidationSet

_TOP = 3
_LENGTHS = ("epochs", "steps", "timeout_s")
_KEYS = (
    "top",
    "data",
    *_LENGTHS,
    "lr",
    "loss",
    "loss_share",
    "batch_size",
    "seed",
    "device",
    "lora_rank",
    "augment",
    "precision",
)


@dataclass(frozen=True, slots=True)
class FineTuning:
    """What a search trains after its trials.

    Attributes:
        top: Most models that are trained.
        settings: How each is trained; `timeout_s` is that of all together.
        data: What is trained on: inputs, or with a loss of the user's own, pairs of inputs and target.
    """

    top: int
    settings: TuningSettings
    data: Any

    @classmethod
    def of(
        cls,
        given: Mapping[str, Any],
        network: ov.Model,
        calibration: Any,  # whatever as_inputs takes
        read_once: Any,  # the calibration data as they were read, where they can be read only once
        *,
        search_s: float | None,
        seed: int,
        folderless: bool,
    ) -> Self:
        """Reads the argument.

        Args:
            given: As a user writes it.
            network: The float model.
            calibration: Calibration data as the user gave them: what is trained on by default.
            read_once: The same as they were read, for data that can be read only once.
            search_s: Seconds of the whole search; None is no limit.
            seed: Seed of the search, also of the training by default.
            folderless: Whether the study is stored, and the search has no folder for models.

        Raises:
            ConfigError: A key is unknown, a value makes no sense, or PyTorch is missing.
            DataError: The data do not fit the model, or are fewer than two batches.
        """
        values = dict(known_keys(given, _KEYS, "finetune", ConfigError))
        check_torch("finetune of a search")
        top = whole_number(values.pop("top", _TOP), "finetune top", least=1, error=ConfigError)
        data = values.pop("data", None)
        settings = TuningSettings.of(**{"seed": seed, **values})
        if search_s is not None and (settings.timeout_s is None or settings.timeout_s >= search_s):
            length = next(f"{name}: {values[name]}" for name in _LENGTHS if values.get(name) is not None)
            msg = (
                f"finetune has {length}, and the whole search {search_s:g} seconds: give finetune a timeout_s that is "
                "a part of them."
            )
            raise ConfigError(msg)
        if folderless:
            msg = "finetune needs out, the folder that keeps the tuned models: storage alone keeps the trials."
            raise ConfigError(msg)
        if settings.loss is not None:
            if data is None:
                msg = "finetune data is missing: a loss of your own needs pairs of inputs and target."
                raise ConfigError(msg)
            items: Any = ValidationSet.of(network, data, noun="training")
        elif data is not None:
            items = as_inputs(network, data, noun="training")
        else:
            items = read_once if isinstance(calibration, Iterator) else as_inputs(network, calibration)
        least = 2 * settings.batch_size
        count = items.at_most(least) if isinstance(items, ModelInputs) else len(items)
        if count < least:
            msg = (
                f"finetune has {counted(count, 'sample')} to train on, fewer than two batches of "
                f"{settings.batch_size}: give it data of its own, or a smaller batch_size."
            )
            raise DataError(msg)
        return cls(top, settings, items)

    @property
    def digest(self) -> str:
        """Digest of how each model is trained."""
        told = {field.name: getattr(self.settings, field.name) for field in fields(self.settings)}
        return digest_of(told)[:12]

    def each(self, seconds: float | None, checkpoint: Any) -> TuningSettings:  # a path or None
        """The settings for one model.

        Args:
            seconds: Its share of the time; None where the length is no time.
            checkpoint: Folder of its state; None keeps none.
        """
        return replace(self.settings, timeout_s=seconds, checkpoint=checkpoint)
