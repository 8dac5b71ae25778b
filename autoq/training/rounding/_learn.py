"""Learns how the weights of a model are rounded, block by block from the inputs to the outputs."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import openvino as ov
import torch

from autoq.calibration import Feed, port_name
from autoq.core import ModelError, quoted
from autoq.graph import Tensor
from autoq.training.rounding._blocks import ModelBlock, block_model, blocks_of
from autoq.training.rounding._distances import squared_errors
from autoq.training.rounding._learn_block import BlockCourse, BlockData, BlockLimit, learn_block, outputs_of
from autoq.training.rounding._offsets import LearnedRounding
from autoq.training.rounding._weights import (
    QuantizedWeight,
    Rounded,
    quantized_weights,
    with_open_weights,
    with_rounded_weights,
)
from autoq.training.tuning import (
    EXACT,
    Distance,
    HeldOutLoss,
    Runner,
    SampleChunk,
    TrainingLoss,
    TrainingSamples,
    can_join,
    check_teacher,
    output_terms,
    ready_for,
    torch_device,
    with_latent_weights,
    with_stored_weights,
)
from autoq.training.twin import to_torch

_LOGGER = logging.getLogger(__name__)
# Fewer levels than weights of 8 bits have, of which those that might overflow use a half.
_MANY = 100
# What is kept of a limit of time for the last look, beside what the first one took.
_JUDGED = 1.5


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
    progress: Callable[[int, int], None] | None


@dataclass(frozen=True, slots=True)
class LearnedBlock:
    """A block that has learned.

    Attributes:
        end: The tensor that it ends at; empty for the outputs of the model.
        weights: How many of its weights learned.
        before: Distance from the float model on the samples that are held out, with the weights as they were given.
        after: The same with the weights that were taken.
        steps: Steps done.
    """

    end: str
    weights: int
    before: float
    after: float
    steps: int


@dataclass(frozen=True, slots=True)
class RoundingReport:
    """How it went.

    Attributes:
        start: What the given model has on the samples that are held out, run by OpenVINO; smaller is better.
        best: What the returned model has; never above `start`.
        blocks: The blocks, from the inputs to the outputs.
        changed: Share of the numbers whose level is another one.
        seconds: Seconds.
    """

    start: float
    best: float
    blocks: tuple[LearnedBlock, ...]
    changed: float
    seconds: float

    @property
    def improved(self) -> bool:
        """Whether the returned model is another one than the given."""
        return self.best < self.start

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {**asdict(self), "improved": self.improved}


def learn_levels(task: RoundingTask) -> tuple[ov.Model, RoundingReport]:
    """Learns the rounding of a model.

    1. All weights behind quantizers, or stored in integers, learn; where some have fewer than 8 bits, those alone.
    2. Each block learns to give what the float model gives in its place, from what the blocks before give it.
    3. OpenVINO runs the result on samples that were held out from all of it: it is returned if it is better.

    Raises:
        ConfigError: PyTorch cannot compute on the device.
        DataError: There are too few samples.
        DeviceError: OpenVINO's device refuses a model.
        ModelError: No weight is rounded, the teacher has other inputs or outputs, or an operation cannot learn.
    """
    begun, device = time.monotonic(), torch_device(task.device)
    check_teacher(task.model, task.teacher)
    samples = TrainingSamples.of(
        task.items,
        labelled=False,
        batch_size=task.batch_size,
        joined=len(task.items) > 0 and can_join([task.model, task.teacher], dict(task.items[0])),
        seed=task.seed,
    )
    chunks = list(samples.held_out_chunks())
    run = Runner(task.teacher, EXACT)
    reference = [run(chunk.feed) for chunk in chunks]
    judge = HeldOutLoss(chunks, reference, TrainingLoss(output_terms(reference, task.distance)))
    latent, stored = with_latent_weights(task.model, task.teacher)
    weights = _learning(latent, task.model)
    judged = time.monotonic()
    start = judge(task.model)
    # The result is judged in the same time.
    spent = begun - _JUDGED * (time.monotonic() - judged)
    learner = _Learner(task, latent, weights, samples, chunks, device, spent)
    rounded, blocks = learner.learned()
    made = with_rounded_weights(latent, weights, rounded)
    made = with_stored_weights(made, task.model, stored) if stored else made
    best = judge(made)
    changed = sum(int(np.count_nonzero(rounded[n].level != weights[n].given.level)) for n in rounded)
    share = changed / max(sum(rounded[name].level.size for name in rounded), 1)
    _LOGGER.debug("held out: %g before, %g after", start, best)
    if not best < start:
        return task.model.clone(), RoundingReport(start, start, blocks, 0.0, time.monotonic() - begun)
    return made, RoundingReport(start, best, blocks, share, time.monotonic() - begun)


def _learning(latent: ov.Model, model: ov.Model) -> dict[str, QuantizedWeight]:
    """The weights that learn."""
    found = quantized_weights(latent)
    if not found:
        msg = (
            f"model {quoted(model.get_friendly_name())} has no weights that are rounded to integers: pass what "
            "autoq.compress_weights or autoq.quantize gives."
        )
        raise ModelError(msg)
    short = {name: weight for name, weight in found.items() if weight.grid.levels < _MANY}
    return short or found


class _Learner:
    """Goes from block to block.

    Two streams are kept: what the float model's blocks give, and what those that have learned give from their own.
    """

    def __init__(
        self,
        task: RoundingTask,
        latent: ov.Model,
        weights: Mapping[str, QuantizedWeight],
        samples: TrainingSamples,
        held_out: Sequence[SampleChunk],
        device: torch.device,
        begun: float,
    ) -> None:
        self._task = task
        self._weights = weights
        self._device = device
        self._begun = begun
        every = quantized_weights(latent)
        trained = list(_chunks(samples))
        self._counts = [len(chunk.numbers) for chunk in (*trained, *held_out)]
        self._trained = len(trained)
        self._feeds = [chunk.feed for chunk in (*trained, *held_out)]
        first = self._feeds[0]
        shaped = ready_for(latent, first)
        self._names = [port_name(port) for port in shaped.inputs]
        self._plain = with_open_weights(shaped, every, weights)
        self._teacher = ready_for(task.teacher, first)
        self._rounded: dict[str, Rounded] = {}
        # Tensors between blocks, by chunk.
        self._ours: list[dict[Tensor, Any]] = [{} for _ in self._feeds]
        self._theirs: list[dict[Tensor, Any]] = [{} for _ in self._feeds]

    def learned(self) -> tuple[dict[str, Rounded], tuple[LearnedBlock, ...]]:
        """The weights that learned, by name, and the blocks."""
        blocks = blocks_of(self._plain, self._weights, self._teacher)
        done = []
        for number, block in enumerate(blocks):
            course, count = self._block(block, number, blocks)
            self._forget({tensor for later in blocks[number + 1 :] for tensor in later.needs})
            if count:
                end = ", ".join(tensor.producer for tensor in block.gives)
                done.append(LearnedBlock(end, count, course.before, course.after, course.steps))
                _LOGGER.debug("block %d: %g before, %g after, %d steps", number, *list(asdict(course).values()))
        return self._rounded, tuple(done)

    def _block(self, block: ModelBlock, number: int, blocks: Sequence[ModelBlock]) -> tuple[BlockCourse, int]:
        """How the learning of a block went, and how many weights learned."""
        truth = self._truth(block)
        model, names = block_model(self._plain, block, self._weights)
        module = self._module(model)
        learned = [name in self._rounded for name in names]
        weights = {name: LearnedRounding(self._now(name), self._device) for name in names}
        data = BlockData(self._inputs(block, self._names, self._ours), truth, self._counts)
        course = BlockCourse(0.0, 0.0, 0)
        if not all(learned):
            course = learn_block(
                module,
                weights,
                data[: self._trained],
                data[self._trained :],
                squared_errors(truth),
                limit=BlockLimit(self._task.steps, self._seconds(len(blocks) - number)),
                batch_size=self._task.batch_size,
                seed=(self._task.seed, number),
                step=self._step(number, len(blocks)),
            )
            self._rounded |= {name: weight.rounded() for name, weight in weights.items()}
        values = [weight.value.detach() for weight in weights.values()]
        self._pass_on(block, module, [(*own, *values) for own in data.inputs], self._ours)
        return course, learned.count(False)

    def _truth(self, block: ModelBlock) -> list[tuple[Any, ...]]:
        """What the float model gives in the place of a block, by chunk."""
        module = self._module(block_model(self._teacher, block)[0])
        names = [port_name(port) for port in self._teacher.inputs]
        return self._pass_on(block, module, self._inputs(block, names, self._theirs), self._theirs)

    def _inputs(
        self, block: ModelBlock, names: Sequence[str], between: Sequence[Mapping[Tensor, Any]]
    ) -> list[tuple[Any, ...]]:
        """Inputs of a block without weights, by chunk."""
        return [
            (
                *(torch.from_numpy(np.asarray(feed[name])).to(self._device) for name in names),
                *(kept[tensor] for tensor in block.needs),
            )
            for feed, kept in zip(self._feeds, between, strict=True)
        ]

    def _pass_on(
        self,
        block: ModelBlock,
        module: torch.nn.Module,
        inputs: Sequence[tuple[Any, ...]],
        between: Sequence[dict[Tensor, Any]],
    ) -> list[tuple[Any, ...]]:
        """What a block gives, by chunk; it is kept for the blocks behind it."""
        found = []
        with torch.no_grad():
            for values, kept in zip(inputs, between, strict=True):
                made = outputs_of(module, values)
                found.append(made)
                kept.update(zip(block.gives, made, strict=False))
        return found

    def _forget(self, needed: Container[Tensor]) -> None:
        """Drops what no later block needs."""
        for kept in (*self._ours, *self._theirs):
            for tensor in [tensor for tensor in kept if tensor not in needed]:
                del kept[tensor]

    def _module(self, model: ov.Model) -> Any:
        """The module of a block, of which nothing learns by itself."""
        return to_torch(model).to(self._device).requires_grad_(False)

    def _now(self, name: str) -> QuantizedWeight:
        """A weight, which an earlier block may have learned already."""
        weight = self._weights[name]
        if name not in self._rounded:
            return weight
        rounded = self._rounded[name]
        return QuantizedWeight(name, replace(weight.grid, scale=rounded.scale), rounded.level)

    def _seconds(self, left: int) -> float | None:
        """The time of a block of so many that are left."""
        if self._task.seconds is None:
            return None
        return max(self._task.seconds - (time.monotonic() - self._begun), 0.0) / left

    def _step(self, number: int, count: int) -> Callable[[], None]:
        steps, tell = iter(range(1, self._task.steps + 1)), self._task.progress

        def step() -> None:
            done = next(steps, self._task.steps)
            if tell is not None:
                tell(number * self._task.steps + done, count * self._task.steps)

        return step


def _chunks(samples: TrainingSamples) -> Iterator[SampleChunk]:
    """The samples that are trained on, those of one shape together."""
    alike: dict[object, list[int]] = {}
    for number in samples.trained:
        feed: Feed = samples.items[int(number)]
        shapes = tuple((name, value.shape) for name, value in feed.items())
        alike.setdefault(shapes if samples.joined else int(number), []).append(int(number))
    for numbers in alike.values():
        for start in range(0, len(numbers), samples.batch_size):
            part = numbers[start : start + samples.batch_size]
            feeds = [samples.items[number] for number in part]
            joined = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
            yield SampleChunk(tuple(part), joined, None)
