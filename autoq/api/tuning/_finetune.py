"""`autoq.finetune`: a model learns to answer as its float model does."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import openvino as ov

from autoq.api.measuring._metric import one_metric
from autoq.api.quantizing._quantize import quantize
from autoq.api.tuning._settings import TuningSettings
from autoq.calibration import as_inputs
from autoq.core import IN_F32, ConfigError, Plan, QuantizationPlan
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import AnyMetric
from autoq.evaluation.scoring import Scorer, ValidationSet
from autoq.graph import read_model
from autoq.report import progress_bar

if TYPE_CHECKING:
    from autoq.training.tuning import TuningCheck, TuningReport


@dataclass(frozen=True, slots=True)
class TunedModel:
    """A tuned model, and how it came to be.

    Attributes:
        model: The model.
        report: The course of the training.
    """

    model: ov.Model
    report: TuningReport


def finetune(
    model: Any,  # whatever read_model reads
    data: Any,  # whatever as_inputs takes, or with a loss, whatever ValidationSet takes
    *,
    teacher: Any = None,  # whatever read_model reads
    loss: Callable[[Any, Any], Any] | str | None = None,
    loss_share: float = 0.5,
    epochs: int | None = None,
    steps: int | None = None,
    timeout_s: float | None = None,
    lr: float | str = "auto",
    validation: Any = None,  # whatever ValidationSet takes
    metric: AnyMetric | None = None,
    sparsity: float | str | Mapping[str, Any] | None = None,
    lora_rank: int | None = None,
    augment: str | Sequence[str] | None = "auto",
    precision: str = "auto",
    plan: Plan | QuantizationPlan | None = None,
    batch_size: int = 32,
    seed: int = 0,
    device: str = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    progress: bool = True,
    on_check: Callable[[TuningCheck], None] | None = None,
) -> ov.Model:
    """Trains a model that was quantized, pruned or compressed, so that it answers as its float model does.

    Weights, biases and the scales of quantizers learn, by PyTorch (`pip install autoq[torch]`); then their numbers are
    put back where they were. Zero points, the places of quantizers, operations and names stay as they are. Weights that
    are stored in integers of 2 to 8 bits learn too: as the teacher's float weights where these round to the stored
    ones. Weights in 8-bit floats and in codebooks stay as they are, and so do preprocessing and tables of embeddings.

    A tenth of the samples, at least a batch, is held out from training. OpenVINO runs the model on them a dozen times
    on the way. The best model of these checks is returned, and the given one where no other is better.

    Args:
        model: What `autoq.read_model` reads; never modified. It is what `autoq.quantize`, `autoq.prune`,
            `autoq.compress_weights` or a search made; or with `plan`, the float model.
        data: Model inputs in the forms that `autoq.quantize` takes; no labels are needed. With a function as `loss`,
            pairs of inputs and target in the forms that `autoq.evaluate` takes. The more of them are different the
            better: some thousands. They are read when they are used.
        teacher: The float model, whose outputs are learned; OpenVINO runs it. None learns from labels alone with a
            `loss`; with a `plan` it is the given model.
        loss: A function of (outputs, targets) that gives a scalar tensor of PyTorch, such as
            `torch.nn.functional.cross_entropy`. Outputs are a tensor, or a tuple of tensors for a model of several.
            Or the distance to the teacher, "kl" or "nmse"; by default it is the divergence of softened probabilities
            for a model whose only output has classes: probabilities that add up to one, or [n, classes] whose rows are
            no embeddings of one length. For others it is the squared error over the variance of the teacher's output,
            summed over outputs.
        loss_share: Share of the function beside the distance to the teacher.
        epochs: Length: how often each sample is trained on.
        steps: Or the number of steps, of a batch each.
        timeout_s: Or seconds, from the call to the result.
        lr: Highest learning rate of Adam; it goes up over the first twentieth, and down along a cosine. "auto" begins
            with 1e-4, and goes back to the best numbers so far and on with a third of it wherever the loss on the
            samples that are held out has grown by half. A training of at least 167 steps lets rates from 1e-5 to 1e-3
            race before, for 6% of the training each: lower ones where the loss grows by half, and higher ones where
            these are better.
        validation: Labelled data that decide instead of the samples that are held out, with `metric`.
        metric: What decides, as in `autoq.evaluate`. Higher is better.
        sparsity: Share of the weights of convolutions and matrix products that become zero: 0.5 or "global 0.5", the
            smallest ones of all layers, each beside the norm of its layer; "local 0.5", those of each layer;
            "regularized 0.5", those whose loss is the least by the gradients of the training, when each number that is
            not zero has a price; or "2:4", two of each four along the input axis. They become zero one after the other
            over the first half of the training, fast at first; "global 0.8 exponential over 0.6" says another course
            ("cubic", "exponential", "linear", "steps", "at once") and another share of the training. The same as a
            dictionary: `{"ratio": 0.8, "scheme": "global", "schedule": "exponential", "grows": 0.6}`; with the schedule
            "steps", `levels` are the shares of zeros on the way. They are exactly zero in the result, which is never
            worse than the model with as many zeros and no training. Most devices run such a model no faster.
        lora_rank: Compressed matrices learn by adapters of this rank, such as 16 or 64, which are merged into the
            integers, 4-bit floats or places in a codebook at the end: the model has the operations that it had. Biases
            and the scales of channels learn beside them; matrices that are not compressed stay. A training takes a
            fraction of the memory that it takes without. None learns all numbers of a matrix.
        augment: Views of the samples that the model is trained on, whose answers the teacher gives too: "shift", "flip"
            (left to right) and "mix" (weighted means of two samples), or several, as "shift flip". "auto" shifts and
            flips images if these mean the same to the teacher then, and if they have no targets. It shows all else as
            it is, which None does always. Of few photos a model learns much more so.
        precision: What convolutions and products of matrices are computed in while the model learns, sums aside: "f32",
            or "bf16", which takes a fifth to a half less time for small images, and half for transformers, on a CPU
            that has instructions for it. "auto" takes it there. What is checked and returned is run in f32.
        plan: Quantize the float model by this plan first, with `data`.
        batch_size: Samples of a step.
        seed: Of the order of the samples, and of which are held out.
        device: PyTorch's device: "cpu", "cuda"; "auto" takes a GPU if there is one.
        checkpoint: Folder that keeps the state of the training. The same call goes on from there after it was stopped
            or killed, and with `steps` or `epochs` comes to the same result.
        progress: Show a bar on a terminal.
        on_check: Called with each check: step, seconds, learning rate, mean loss, and the figure of the model on the
            samples that are held out.

    Returns:
        A new model.

    Raises:
        ConfigError: A parameter makes no sense, PyTorch is missing, or the loss fails or gives no scalar.
        DataError: The data do not fit the model, or are fewer than two batches.
        DeviceError: A device is missing, or refuses a model.
        ModelError: A model does not read, has an operation that cannot learn, or the teacher is another model's.
        StoredFileError: The checkpoint is damaged, or belongs to another training.
    """
    settings = TuningSettings.of(
        epochs=epochs,
        steps=steps,
        timeout_s=timeout_s,
        lr=lr,
        loss=loss,
        loss_share=loss_share,
        batch_size=batch_size,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
        sparsity=sparsity,
        lora_rank=lora_rank,
        augment=augment,
        precision=precision,
    )
    return finetuned(
        model,
        data,
        settings,
        teacher=teacher,
        validation=validation,
        metric=metric,
        plan=plan,
        progress=progress,
        on_check=on_check,
    ).model


def finetuned(
    model: Any,  # whatever read_model reads
    data: Any,  # whatever as_inputs takes, or with a loss, whatever ValidationSet takes
    settings: TuningSettings,
    *,
    teacher: Any = None,  # whatever read_model reads
    validation: Any = None,  # whatever ValidationSet takes
    metric: AnyMetric | None = None,
    plan: Plan | QuantizationPlan | None = None,
    progress: bool = True,
    on_check: Callable[[TuningCheck], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> TunedModel:
    """As `finetune`, with the course of the training.

    `on_step` is told what is done and all, in steps or seconds, in place of a bar.
    """
    if teacher is None and settings.loss is None and plan is None:
        msg = "teacher is missing: pass the float model that the model was made of, or labelled data and a loss."
        raise ConfigError(msg)
    if (validation is None) != (metric is None):
        missing = "metric" if metric is None else "validation"
        msg = f"{missing} is missing: validation and metric decide together."
        raise ConfigError(msg)
    training = _training()
    network = read_model(model)
    own = None if teacher is None else read_model(teacher)
    labelled = settings.loss is not None
    items: Sequence[Any] = (
        ValidationSet.of(network, data, noun="training") if labelled else as_inputs(network, data, noun="training")
    )
    if plan is not None:
        own = network if own is None else own
        network = quantize(network, [item[0] for item in items] if labelled else items, plan=plan, progress=progress)
    with progress_bar("tuning", shown=progress and on_step is None) as step:
        made, report = training.tune(
            training.TuningTask(
                model=network,
                teacher=own,
                items=items,
                labelled=labelled,
                loss=settings.loss,
                loss_share=settings.loss_share,
                distance=None if settings.distance is None else training.Distance.parse(settings.distance),
                limit=training.TuningLimit(settings.steps, settings.timeout_s),
                epochs=settings.epochs,
                rate=settings.rate,
                batch_size=settings.batch_size,
                seed=settings.seed,
                device=settings.device,
                checkpoint=settings.checkpoint,
                judge=None if validation is None else _judge(network, own, validation, metric),
                sparsity=settings.sparsity,
                lora_rank=settings.lora_rank,
                augment=settings.augment,
                precision=settings.precision,
                progress=on_step or step,
                on_check=on_check,
            )
        )
    return TunedModel(made, report)


def check_torch(what: str) -> None:
    """Checks that PyTorch is installed.

    Args:
        what: What needs it, for the error.

    Raises:
        ConfigError: It is not.
    """
    if find_spec("torch") is None:
        msg = f"{what} needs PyTorch, which is not installed: pip install 'autoq[torch]'."
        raise ConfigError(msg)


def _training() -> Any:  # a module
    check_torch("autoq.finetune")
    from autoq.training import tuning

    return tuning


def _judge(
    model: ov.Model,
    teacher: ov.Model | None,
    validation: Any,  # whatever ValidationSet takes
    metric: AnyMetric | None,
) -> Callable[[ov.Model], float]:
    """The negative of the user's metric on the validation data."""
    resolved = one_metric(metric, None)
    items = ValidationSet.of(model, validation)
    scorer = Scorer(items, metric=resolved, evaluate=None, runtime=RuntimeConfig(), model=teacher or model)

    def judge(made: ov.Model) -> float:
        return -scorer.of(made, IN_F32)(None)[0]

    return judge
