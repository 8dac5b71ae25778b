"""A module that learns: the steps of Adam on batches of samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autoq.core import ConfigError
from autoq.training.adapters import LORA_A, LORA_B, AdaptedWeight
from autoq.training.sparsity import WeightMasks
from autoq.training.tuning._loss import TrainingLoss, as_targets
from autoq.training.tuning._runner import Arrays
from autoq.training.tuning._samples import SampleChunk
from autoq.training.twin import products_in, quantized_once

# A step moves a weight by about the learning rate, whatever its gradient. Scales of quantizers differ by orders of
# magnitude, so that the rate of each is relative to it. On cifar10_resnet20 in int8, 5,760 photos at a rate of 1e-4
# left 0.64, 0.56, 0.43 and 0.25 of the distortion at speeds of 1, 10, 30 and 100.
_SCALE_SPEED = 100.0
# Adapters move a matrix in few directions at a time.
_ADAPTER_SPEED = 3.0
# Share of the adapters' rate that the scales beside them have, as NNCF's example has it.
_ADAPTED_SCALE_SHARE = 0.1
_MOST_GRADIENT = 1.0
# Axes of a batch of images.
_IMAGE = 4

State = dict[str, Any]


class NotFiniteError(Exception):
    """The loss, or a gradient, is NaN or infinite; the message says which."""


class Learner:
    """A module, its loss and its optimizer.

    Args:
        module: Takes tensors in the order of `inputs`, and gives one or a tuple. It is trained in place.
        inputs: Names of the inputs.
        loss: What is made small.
        teacher: Gives the teacher's outputs for a chunk; None without a teacher.
        device: Where the module is.
        masks: Keep weights zero; None without sparsity.
        products: Type of the module's convolutions and products of matrices; None is single precision.
    """

    def __init__(
        self,
        module: nn.Module,
        inputs: Sequence[str],
        loss: TrainingLoss,
        teacher: Callable[[SampleChunk], Arrays] | None,
        device: torch.device,
        masks: WeightMasks | None = None,
        products: torch.dtype | None = None,
    ) -> None:
        self.module = module
        self.masks = masks
        self._inputs = tuple(inputs)
        self._loss = loss
        self._teacher = teacher
        self._device = device
        self._products = products
        self._trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        if not self._trained:
            msg = "the model has nothing that can learn: no weight, no bias and no quantizer with a scale."
            raise ConfigError(msg)
        self.begin()

    def begin(self) -> None:
        """Forgets what the optimizer knows of earlier gradients."""
        by_speed: dict[float, list[Tensor]] = {}
        for name, p in self._trained.items():
            by_speed.setdefault(self._speed(name, p), []).append(p)
        groups = [{"params": params, "speed": speed} for speed, params in by_speed.items()]
        self._optimizer = torch.optim.Adam(groups, lr=0.0)

    def _speed(self, name: str, parameter: Tensor) -> float:
        """By how many times the learning rate a step moves a parameter."""
        path, _, own = name.rpartition(".")
        if own in {LORA_A, LORA_B}:
            return _ADAPTER_SPEED
        if own != "scale":
            return 1.0
        if isinstance(self.module.get_submodule(path), AdaptedWeight):
            return _ADAPTER_SPEED * _ADAPTED_SCALE_SHARE
        return _SCALE_SPEED * float(parameter.detach().abs().mean())

    def step(self, batch: Sequence[SampleChunk], rate: float) -> float:
        """One step; gives the loss before it.

        Raises:
            NotFiniteError: The loss or a gradient is not finite; nothing is changed.
            ConfigError: The user's loss fails.
        """
        self._optimizer.zero_grad(set_to_none=True)
        total, count = 0.0, sum(len(chunk.numbers) for chunk in batch)
        with quantized_once() as once:
            for chunk in batch:
                loss = self._loss_of(chunk) * (len(chunk.numbers) / count)
                if not loss.requires_grad:
                    msg = "loss does not depend on the outputs: compute it of them by operations of torch alone."
                    raise ConfigError(msg)
                value = float(loss.detach())
                if not math.isfinite(value):
                    raise NotFiniteError(f"the loss is {value}")
                loss.backward()
                total += value
            once.backward()
        if self.masks is not None:
            self.masks.on_gradients()
        length = float(nn.utils.clip_grad_norm_(self._trained.values(), _MOST_GRADIENT))
        if not math.isfinite(length):
            raise NotFiniteError(f"the length of the gradient is {length}")
        for group in self._optimizer.param_groups:
            group["lr"] = rate * group["speed"]
        self._optimizer.step()
        if self.masks is not None:
            self.masks.on_weights()
        return total

    def _loss_of(self, chunk: SampleChunk) -> Tensor:
        values = [_laid_out(torch.from_numpy(chunk.feed[name])).to(self._device) for name in self._inputs]
        with products_in(self._products):
            outputs = self.module(*values)
        teacher = None
        if self._teacher is not None:
            teacher = [torch.from_numpy(array).to(self._device) for array in self._teacher(chunk)]
        found = outputs if isinstance(outputs, tuple | list) else (outputs,)
        return self._loss(found, teacher, as_targets(chunk.targets, self._device))

    def state(self) -> State:
        """A copy of the numbers that learn, on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in self._trained.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Gives the module the numbers of `state`; masks are forgotten."""
        with torch.no_grad():
            for name, value in state.items():
                self._trained[name].copy_(value)
        if self.masks is not None:
            self.masks.reset()

    def memory(self) -> State:
        """What the optimizer knows of earlier gradients, and the masks."""
        masks = None if self.masks is None else self.masks.state()
        return {"optimizer": self._optimizer.state_dict(), "masks": masks}

    def remember(self, memory: State) -> None:
        """Takes what `memory` gave."""
        self._optimizer.load_state_dict(memory["optimizer"])
        if self.masks is not None:
            self.masks.restore(memory["masks"])

    def sparsify(self, share: float) -> None:
        """Chooses the weights that are zero after a share of the training; does nothing without sparsity."""
        if self.masks is not None:
            self.masks.choose(share)

    def is_sparse(self, share: float) -> bool:
        """Whether as many weights are zero as is wanted."""
        return self.masks is None or self.masks.wanted.is_whole(share)


def _laid_out(values: Tensor) -> Tensor:
    """Images with the numbers of a pixel side by side: convolutions take less time so."""
    return values.to(memory_format=torch.channels_last) if values.dim() == _IMAGE else values
