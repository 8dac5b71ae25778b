"""One block learns: steps along the signs of gradients, and looks at samples that no step sees."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from autoq.training.rounding._distances import Loss
from autoq.training.rounding._offsets import LearnedRounding
from autoq.training.twin import products_in

# All steps together, with a rate that falls to zero in a straight line, move a position by so many levels at most, and
# change a scale by such a share.
# Longer ways learn the samples by heart where those are few: on windows that nothing has seen, with earlier gradients
# weighing 0.8, 0.3, 0.4 and 0.6 take 0.120, 0.132 and 0.088 off the error of a layer of SmolLM2; where there are many
# sentences, on a layer of MiniLM, 0.4, 0.5 and 0.6 take off 0.116, 0.121 and 0.121.
_WAY, _SCALE_WAY = 0.45, 0.1
_LOOKS = 8

Run = Callable[[tuple[Any, ...]], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class BlockData:
    """What a block computes with, by chunk of samples of one shape.

    Attributes:
        inputs: Inputs of its module, the weights left out, which are the last ones.
        truth: What the float model gives in its place.
        counts: Samples of each chunk.
    """

    inputs: list[tuple[Any, ...]]
    truth: list[tuple[Any, ...]]
    counts: list[int]

    def __getitem__(self, part: slice) -> BlockData:
        """Some of the chunks."""
        return BlockData(self.inputs[part], self.truth[part], self.counts[part])


@dataclass(frozen=True, slots=True)
class BlockCourse:
    """How the learning of a block went.

    Attributes:
        before: Distance from the float model on the samples that are held out, as it was given.
        after: The same of what was taken; never above `before`.
        steps: Steps done.
    """

    before: float
    after: float
    steps: int


@dataclass(frozen=True, slots=True)
class BlockLimit:
    """How long a block learns.

    Attributes:
        steps: Steps.
        seconds: Seconds at most; None without a limit.
    """

    steps: int
    seconds: float | None = None


def learn_block(
    module: torch.nn.Module,
    weights: Mapping[str, LearnedRounding],
    trained: BlockData,
    held_out: BlockData,
    loss: Loss,
    *,
    limit: BlockLimit,
    batch_size: int,
    seed: Sequence[int],
    step: Callable[[], None],
    products: torch.dtype | None = None,
) -> BlockCourse:
    """Trains the weights of a block, which have their best numbers at the end.

    Args:
        module: The module of the block.
        weights: What learns, by name, in the order of the last inputs of the module.
        trained: What steps see.
        held_out: What decides which numbers are taken; those at the beginning are among them.
        loss: What is made small.
        limit: Length.
        batch_size: Samples of a step, at least.
        seed: Of the order of the chunks.
        step: Told of each step.
        products: Type of the products of steps; None is single precision, as of what decides.
    """
    started = time.monotonic()

    def run(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return outputs_of(module, (*values, *(weight.value for weight in weights.values())))

    before = best = _distance(run, held_out, loss)
    taken = {name: weight.state() for name, weight in weights.items()}
    batches = _batches(trained.counts, batch_size, seed)
    looks = {math.ceil(limit.steps * (number + 1) / _LOOKS) for number in range(_LOOKS)}
    done, share, steps = 0.0, 1 / limit.steps, 0
    while done < 1:
        batch = next(batches)
        total = sum(trained.counts[number] for number in batch)
        for number in batch:
            with products_in(products):
                part = _loss(run, trained, number, loss) * (trained.counts[number] / total)
            part.backward()
        rate = (1 - done) * 2 * share
        for weight in weights.values():
            weight.step(_WAY * rate, _SCALE_WAY * rate)
        steps += 1
        step()
        used = 0.0 if limit.seconds is None else (time.monotonic() - started) / max(limit.seconds, 1e-9)
        # A step is a larger share of the whole where time allows fewer of them.
        share = max(used / steps, 1 / limit.steps)
        done = min(max(steps / limit.steps, used), 1.0)
        if steps in looks or done >= 1:
            value = _distance(run, held_out, loss)
            if value < best:
                best, taken = value, {name: weight.state() for name, weight in weights.items()}
    for name, weight in weights.items():
        weight.restore(taken[name])
    return BlockCourse(before, best, steps)


def outputs_of(module: torch.nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a module gives, always as a tuple."""
    made = module(*inputs)
    return tuple(made) if isinstance(made, tuple | list) else (made,)


def _loss(run: Run, data: BlockData, number: int, loss: Loss) -> Any:
    return loss(run(data.inputs[number]), data.truth[number])


def _distance(run: Run, data: BlockData, loss: Loss) -> float:
    """The mean loss of samples."""
    with torch.no_grad():
        parts = [float(_loss(run, data, n, loss)) * count for n, count in enumerate(data.counts)]
    return math.fsum(parts) / sum(data.counts)


def _batches(counts: Sequence[int], size: int, seed: Sequence[int]) -> Iterator[list[int]]:
    """Chunks of a step, again and again in new orders."""
    drawn = np.random.default_rng(seed)
    batch: list[int] = []
    total = 0
    while True:
        for number in drawn.permutation(len(counts)):
            batch.append(int(number))
            total += counts[number]
            if total >= size:
                yield batch
                batch, total = [], 0
