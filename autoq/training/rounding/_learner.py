"""Goes from block to block of a model, each of which learns how its weights are rounded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import openvino as ov
import torch

from autoq.calibration import port_name
from autoq.core import digest_of
from autoq.graph import Tensor, model_digest
from autoq.training.rounding._blocks import ModelBlock, block_model, blocks_of
from autoq.training.rounding._distances import squared_errors
from autoq.training.rounding._kept_block import KeptBlock
from autoq.training.rounding._learn_block import BlockCourse, BlockData, BlockLimit, learn_block, outputs_of
from autoq.training.rounding._offsets import LearnedRounding
from autoq.training.rounding._report import LearnedBlock
from autoq.training.rounding._task import RoundingTask
from autoq.training.rounding._weights import QuantizedWeight, Rounded, quantized_weights, with_open_weights
from autoq.training.tuning import HeldOutLoss, TrainingSamples, learned_in, ready_for
from autoq.training.twin import to_torch

_LOGGER = logging.getLogger(__name__)


class RoundingLearner:
    """Goes from block to block.

    Two streams are kept: what the float model's blocks give, and what those that have learned give from their own.
    """

    def __init__(
        self,
        task: RoundingTask,
        latent: ov.Model,
        weights: Mapping[str, QuantizedWeight],
        samples: TrainingSamples,
        judge: HeldOutLoss,
        device: torch.device,
        begun: float,
    ) -> None:
        self._task = task
        self._weights = weights
        self._device = device
        self._begun = begun
        every = quantized_weights(latent)
        trained = list(samples.trained_chunks())
        chunks = (*trained, *judge.chunks)
        self._counts = [len(chunk.numbers) for chunk in chunks]
        self._trained = len(trained)
        self._feeds = [chunk.feed for chunk in chunks]
        self._loss = judge.loss
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
        identity = "" if self._task.checkpoint is None else self._identity()
        done = []
        for number, block in enumerate(blocks):
            folder = self._task.checkpoint
            kept = None if folder is None else KeptBlock(folder, number, identity)
            course, count = self._block(block, number, blocks, kept)
            self._forget({tensor for later in blocks[number + 1 :] for tensor in later.needs})
            if count:
                end = ", ".join(tensor.producer for tensor in block.gives)
                done.append(LearnedBlock(end, count, course.before, course.after, course.steps))
                _LOGGER.debug("block %d: %g before, %g after, %d steps", number, *list(asdict(course).values()))
        return self._rounded, tuple(done)

    def _identity(self) -> str:
        """Digest of all that the numbers depend on."""
        task = self._task
        options = (task.steps, task.seconds, task.batch_size, task.seed, self._trained)
        distances = [None if term is None else str(term.distance) for term in self._loss.terms]
        return digest_of(model_digest(task.model), model_digest(task.teacher), self._feeds, options, distances)

    def _block(
        self, block: ModelBlock, number: int, blocks: Sequence[ModelBlock], kept: KeptBlock | None
    ) -> tuple[BlockCourse, int]:
        """How the learning of a block went, and how many weights learned."""
        truth = self._truth(block)
        model, names = block_model(self._plain, block, self._weights)
        module = self._module(model)
        count = sum(name not in self._rounded for name in names)
        data = BlockData(self._inputs(block, self._names, self._ours), truth, self._counts)
        course, found = BlockCourse(0.0, 0.0, 0), None if kept is None else kept.read()
        if found is not None:
            rounded, course, seconds = found
            self._rounded |= rounded
            self._begun = min(self._begun, time.monotonic() - seconds)
            self._tell(number, len(blocks), self._task.steps)
        weights = {name: LearnedRounding(self._now(name), self._device) for name in names}
        if found is None and count:
            course = learn_block(
                module,
                weights,
                data[: self._trained],
                data[self._trained :],
                squared_errors(truth) if block.gives else self._distance,
                limit=BlockLimit(self._task.steps, self._seconds(len(blocks) - number)),
                batch_size=self._task.batch_size,
                seed=(self._task.seed, number),
                step=self._step(number, len(blocks)),
                products=learned_in(None, self._device),
            )
            rounded = {name: weight.rounded() for name, weight in weights.items()}
            self._rounded |= rounded
            if kept is not None:
                kept.write(rounded, course, time.monotonic() - self._begun)
        if block.gives:
            values = [weight.value.detach() for weight in weights.values()]
            self._pass_on(block, module, [(*own, *values) for own in data.inputs], self._ours)
        return course, count

    def _distance(self, ours: Sequence[Any], theirs: Sequence[Any]) -> Any:
        """The distance of the outputs that decides at the end."""
        return self._loss(ours, theirs, None)

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
        steps = iter(range(1, self._task.steps + 1))
        return lambda: self._tell(number, count, next(steps, self._task.steps))

    def _tell(self, number: int, count: int, done: int) -> None:
        """Tells of steps that are done of one of so many blocks."""
        if self._task.progress is not None:
            self._task.progress(number * self._task.steps + done, count * self._task.steps)
