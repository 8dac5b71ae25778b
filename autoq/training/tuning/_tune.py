"""Tunes a model: its twin learns from a teacher, and its numbers are put back where they were."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import openvino as ov
import torch

from autoq.calibration import Feed, port_name
from autoq.core import Augmentation, DataError, ModelError, Sparsity, digest_of, quoted
from autoq.evaluation.device import RuntimeConfig
from autoq.graph import find_weights, model_digest, read_model, unique_names
from autoq.training.adapters import attach_adapters, merge_adapters
from autoq.training.sparsity import SparseWeight, WeightMasks
from autoq.training.tuning._beginning import (
    can_join,
    check_teacher,
    learned_in,
    output_terms,
    ready_for,
    torch_device,
)
from autoq.training.tuning._checkpoint import TuningCheckpoint
from autoq.training.tuning._held_out_loss import EXACT, HeldOutLoss, Judge
from autoq.training.tuning._latent import with_latent_weights, with_stored_weights
from autoq.training.tuning._learner import Learner
from autoq.training.tuning._limit import TuningLimit
from autoq.training.tuning._loss import Distance, TrainingLoss, UserLoss
from autoq.training.tuning._plan import Publish, TrainingPlan
from autoq.training.tuning._report import TuningCheck, TuningReport
from autoq.training.tuning._runner import Runner, Teacher
from autoq.training.tuning._samples import TrainingSamples
from autoq.training.tuning._training import train
from autoq.training.tuning._views import SampleViews
from autoq.training.twin import PLACES, names_of, to_torch, write_back


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningTask:
    """What is tuned, and how.

    Attributes:
        model: The model; never modified.
        teacher: The float model; None learns from labels alone.
        items: Inputs, or pairs of inputs and target.
        labelled: Whether they are pairs.
        loss: The user's loss; None learns from the teacher alone.
        loss_share: Its share beside the distance to the teacher.
        distance: Distance to the teacher; None decides by the outputs.
        limit: Length; a number of epochs if `epochs` is given.
        epochs: How often each sample is trained on; None where `limit` says it.
        rate: Highest learning rate; None holds a race.
        batch_size: Samples of a step.
        seed: Of the order of the samples.
        device: Where PyTorch computes; None takes a GPU if there is one.
        checkpoint: Folder of the state; None keeps none.
        judge: The user's own figure of a model, smaller is better; None takes the loss on what is held out.
        sparsity: Zeros among the weights; None makes none.
        lora_rank: Rank of the adapters that compressed matrices learn by; None learns all of their numbers.
        augment: Views of the samples that are trained on; None decides by the data.
        precision: What products are computed in, "f32" or "bf16"; None decides by the device.
        progress: Told of what is done, and of all.
        on_check: Told of each check.
    """

    model: ov.Model
    teacher: ov.Model | None
    items: Sequence[Any]
    labelled: bool
    loss: UserLoss | None
    loss_share: float
    distance: Distance | None
    limit: TuningLimit
    epochs: int | None
    rate: float | None
    batch_size: int
    seed: int
    device: str | None
    checkpoint: Path | None
    judge: Judge | None
    sparsity: Sparsity | None
    lora_rank: int | None
    augment: tuple[Augmentation, ...] | None
    precision: str | None
    progress: Callable[[int, int], None] | None
    on_check: Callable[[TuningCheck], None] | None


def tune(task: TuningTask) -> tuple[ov.Model, TuningReport]:
    """Tunes a model.

    Returns:
        A new model, which is never worse than the given one on the samples that are held out; and the course.

    Raises:
        ConfigError: The loss fails, or nothing can learn.
        DataError: There are too few samples.
        DeviceError: A device is missing, or refuses a model.
        ModelError: The teacher has other inputs or outputs, or the model has an operation that cannot learn.
        StoredFileError: The checkpoint is damaged, or belongs to another training.
    """
    begun, device = time.monotonic(), torch_device(task.device)
    check_teacher(task.model, task.teacher)
    first = _first(task)
    views = SampleViews.of(task.augment, first, labelled=task.labelled)
    joined = can_join([task.model] if task.teacher is None else [task.model, task.teacher], first)
    samples = TrainingSamples.of(
        task.items, labelled=task.labelled, batch_size=task.batch_size, joined=joined, seed=task.seed, views=views
    )
    chunks = list(samples.held_out_chunks())
    reference = None
    if task.teacher is not None:
        run = Runner(task.teacher, EXACT)
        reference = [run(chunk.feed) for chunk in chunks]
        if task.augment is None:
            views = views.meaning_the_same(run, [chunk.feed for chunk in chunks], reference, task.seed)
            samples = replace(samples, views=views)
    loss = TrainingLoss(output_terms(reference, task.distance), task.loss, task.loss_share)
    module, learned, publish = _trainable(task, chunks[0].feed)
    module = module.to(device)

    teacher = None if task.teacher is None else Teacher(task.teacher, RuntimeConfig(), joined=joined)
    limit = task.limit
    if task.epochs is not None:
        limit = TuningLimit(steps=task.epochs * samples.batches_per_epoch)
    held_out = HeldOutLoss(chunks, reference, loss)
    plan = TrainingPlan(
        samples=samples,
        judge=task.judge or held_out,
        loss=held_out,
        publish=publish,
        limit=limit,
        rate=task.rate,
        checkpoint=None if task.checkpoint is None else TuningCheckpoint(task.checkpoint, _identity(task, limit)),
        progress=task.progress,
        on_check=task.on_check,
    )
    masks = None if task.sparsity is None else WeightMasks(module, _sparse_weights(module, learned), task.sparsity)
    inputs, products = [port_name(port) for port in task.model.inputs], learned_in(task.precision, device)
    learner = Learner(module, inputs, loss, teacher, device, masks, products)
    given = task.model
    if masks is not None:
        # What has as many zeros, and learned nothing, is what a training has to be better than.
        dense = learner.state()
        learner.sparsify(1.0)
        given = publish(module)
        learner.restore(dense)
    report = train(learner, plan, given, before_s=time.monotonic() - begun)
    return publish(module) if report.improved else given.clone(), report


def _trainable(task: TuningTask, feed: Feed) -> tuple[Any, ov.Model, Publish]:
    """The module that learns, the model that it was made of, and what makes the model that is deployed of it."""
    if task.lora_rank is not None:
        module = to_torch(ready_for(task.model, feed))
        attach_adapters(module, task.model, task.teacher, task.lora_rank, task.seed)
        return module, task.model, lambda trained: merge_adapters(trained, task.model)
    latent, weights = with_latent_weights(task.model, task.teacher)
    module = to_torch(ready_for(latent, feed))
    return module, latent, lambda trained: with_stored_weights(write_back(trained, latent), task.model, weights)


def _first(task: TuningTask) -> Feed:
    try:
        item = task.items[0]
    except IndexError:
        msg = "training data are empty: at least two batches of samples are needed."
        raise DataError(msg) from None
    return dict(item[0] if task.labelled else item)


def _sparse_weights(module: torch.nn.Module, model: ov.Model) -> list[SparseWeight]:
    """Parameters of convolutions and matrix products."""
    network = read_model(model)
    nodes = unique_names(network)
    parameter_of = {place: name for name, place in module.meta[PLACES].constants.items()}
    named = {op.get_name(): parameter_of.get(name) for name, op in names_of(network).items()}
    learns = {name for name, parameter in module.named_parameters() if parameter.requires_grad}
    found = []
    for weight in find_weights(network).every:
        name = named.get(nodes[weight.constant].get_name())
        if name is not None and name in learns and not weight.is_embedding:
            # A weight that is read in another shape than it is stored in has its groups along the last axis.
            axes = (-1,) if weight.reason is not None or not weight.axes else weight.axes
            found.append(SparseWeight(name, axes))
    if not found:
        msg = f"model {quoted(model.get_friendly_name())} has no convolution or matrix product whose weight learns."
        raise ModelError(msg)
    return found


def _identity(task: TuningTask, limit: TuningLimit) -> str:
    """Digest of what the course of a training depends on."""
    models = [None if one is None else model_digest(one) for one in (task.model, task.teacher)]
    wanted = None if task.sparsity is None else {key: str(value) for key, value in asdict(task.sparsity).items()}
    options = (task.labelled, task.loss_share, task.distance, task.rate, task.batch_size, task.seed, task.loss is None)
    augment = None if task.augment is None else tuple(map(str, task.augment))
    how = task.lora_rank, augment, task.precision
    return digest_of(models, len(task.items), limit.steps, limit.seconds, options, wanted, *how)
