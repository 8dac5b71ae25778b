"""`autoq.learn_rounding`: which level each weight is rounded to is learned, block by block."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import openvino as ov

from autoq.api.tuning._rounding_settings import RoundingSettings
from autoq.calibration import as_inputs
from autoq.core import ConfigError
from autoq.graph import read_model
from autoq.report import progress_bar

if TYPE_CHECKING:
    from autoq.training.rounding import RoundingReport


@dataclass(frozen=True, slots=True)
class RoundedModel:
    """A model whose rounding was learned, and how it came to be.

    Attributes:
        model: The model.
        report: What each block learned.
    """

    model: ov.Model
    report: RoundingReport


def learn_rounding(
    model: Any,  # whatever read_model reads
    data: Any,  # whatever as_inputs takes
    *,
    teacher: Any,  # whatever read_model reads
    steps: int = 200,
    timeout_s: float | None = None,
    loss: str | None = None,
    batch_size: int = 8,
    seed: int = 0,
    device: str = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> ov.Model:
    """Learns to which level each weight of a compressed or quantized model is rounded.

    A block, such as a layer of a transformer, learns at a time: it is to give what the float model gives in its place,
    from what the blocks before it give, which have learned already. Each weight stays within a level of the one that it
    has, and scales within a tenth. Begin with the best that needs no training: `autoq.compress_weights` with a dataset.
    The size, the operations, biases and the quantizers of activations stay as they are.

    Weights in integers of 2 to 8 bits learn, stored or behind quantizers; where some have fewer than 8 bits, those
    alone. Tables of embeddings that have 8 bits stay then, and weights in floats and codebooks always do.

    A tenth of the samples, at least a batch, is held out. A block keeps what it was given where nothing better on these
    is found; OpenVINO runs the result on them at the end, and the given model is returned if that is not better.

    Args:
        model: What `autoq.read_model` reads, as `autoq.compress_weights`, `autoq.quantize` or a search made it; never
            modified.
        data: Model inputs in the forms that `autoq.quantize` takes; no labels are needed. Some hundreds of sentences or
            photos, or tens of windows of text. All tensors between two blocks are held in memory.
        teacher: The float model.
        steps: Steps of each block.
        timeout_s: Seconds at most, which are divided among the blocks; they then have fewer steps.
        loss: What decides at the end, "kl" or "nmse", as in `autoq.finetune`; use "kl" for language models.
        batch_size: Samples of a step.
        seed: Of the order of the samples, and of which are held out.
        device: PyTorch's device: "cpu", "cuda"; "auto" takes a GPU if there is one.
        checkpoint: Folder that keeps each block that has learned: after a crash or a kill the same call goes on behind
            the last one, and gives the same model. Blocks of other models, data or options are refused.
        progress: Show a bar on a terminal.

    Returns:
        A new model. The same call gives the same one, but with `timeout_s`.

    Raises:
        ConfigError: A parameter makes no sense, or PyTorch is missing.
        DataError: The data do not fit the model, or are fewer than two batches.
        DeviceError: A device is missing, or refuses a model.
        ModelError: A model does not read, has no rounded weights or an operation that cannot learn, or the teacher is
            another model's.
        OutputError: The checkpoint cannot be written.
        StoredFileError: The checkpoint is damaged, or belongs to another training.
    """
    settings = RoundingSettings.of(
        steps=steps,
        timeout_s=timeout_s,
        loss=loss,
        batch_size=batch_size,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
    )
    return learned_rounding(model, data, settings, teacher=teacher, progress=progress).model


def learned_rounding(
    model: Any,  # whatever read_model reads
    data: Any,  # whatever as_inputs takes
    settings: RoundingSettings,
    *,
    teacher: Any,  # whatever read_model reads
    progress: bool = True,
) -> RoundedModel:
    """As `learn_rounding`, with what each block learned."""
    try:
        from autoq.training.rounding import RoundingTask, learn_levels
        from autoq.training.tuning import Distance
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        msg = "autoq.learn_rounding needs PyTorch, which is not installed: pip install 'autoq[torch]'."
        raise ConfigError(msg) from error
    network, own = read_model(model), read_model(teacher)
    items = as_inputs(network, data, noun="training")
    with progress_bar("learning to round", shown=progress) as step:
        made, report = learn_levels(
            RoundingTask(
                model=network,
                teacher=own,
                items=items,
                steps=settings.steps,
                seconds=settings.timeout_s,
                batch_size=settings.batch_size,
                seed=settings.seed,
                device=settings.device,
                distance=None if settings.distance is None else Distance.parse(settings.distance),
                checkpoint=settings.checkpoint,
                progress=step,
            )
        )
    return RoundedModel(made, report)
