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
# Fewer samples that are held out have no spread, beside which errors are small or large.
_LEAST_BATCH = 2
# Of few samples, so many batches are made: one is held out.
_FEW_BATCHES = 4
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
        note: A sentence on batches that are smaller than asked for, without its full stop; None where they are not.
    """

    top: int
    settings: TuningSettings
    data: Any
    note: str | None = None

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
            DataError: The data do not fit the model, or are too few for two batches of any size.
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
        settings, note = _in_batches(settings, items)
        return cls(top, settings, items, note)

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


def _in_batches(settings: TuningSettings, items: Any) -> tuple[TuningSettings, str | None]:  # inputs, or pairs
    """The settings with a batch that the samples are enough for, and a note where it is a smaller one.

    Raises:
        DataError: They are too few for any.
    """
    asked = settings.batch_size
    count = items.at_most(2 * asked) if isinstance(items, ModelInputs) else len(items)
    if count >= 2 * asked:
        return settings, None
    least = 2 * min(_LEAST_BATCH, asked)
    if count < least:
        msg = (
            f"finetune has {counted(count, 'sample')} to train on, and needs {least}: a part of them is held out from "
            "training. Give it data of its own, some thousands."
        )
        raise DataError(msg)
    size = max(count // _FEW_BATCHES, _LEAST_BATCH)
    note = (
        f"models are trained in batches of {size}, since there are {counted(count, 'sample')} to train on: batches of "
        f"{asked} need {2 * asked}, and the more there are the better"
    )
    return replace(settings, batch_size=size), note
