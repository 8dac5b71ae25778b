"""Masks of weights that learn: what is masked is zero without a gradient, and may come back while the ratio grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from autoq.core import Sparsity, SparsityScheme
from autoq.training.sparsity._choice import kept_globally, kept_in_fours, kept_locally


@dataclass(frozen=True, slots=True)
class SparseWeight:
    """A weight that gets zeros.

    Attributes:
        name: Name of the parameter.
        axis: Its input axis.
    """

    name: str
    axis: int


class WeightMasks:
    """Masks of the parameters of a module.

    Args:
        module: The module; its parameters are changed in place.
        weights: The parameters that get zeros.
        wanted: How many, and which.
    """

    def __init__(self, module: Any, weights: Sequence[SparseWeight], wanted: Sparsity) -> None:
        named = dict(module.named_parameters())
        self.wanted = wanted
        self._weights = tuple(weights)
        self._parameters = {weight.name: named[weight.name] for weight in weights}
        self._kept: dict[str, Any] = {}
        self._hidden: dict[str, Any] = {}
        self._ratio: float | None = None

    def reset(self) -> None:
        """Forgets all masks, after the module got other numbers."""
        self._kept, self._hidden, self._ratio = {}, {}, None

    def choose(self, ratio: float) -> None:
        """Chooses the weights that are zero, if the ratio is another one than before."""
        if ratio == self._ratio:
            return
        self._ratio = ratio
        with torch.no_grad():
            whole = [self._whole(weight.name) for weight in self._weights]
            for weight, values, kept in zip(self._weights, whole, self._choice(whole, ratio), strict=True):
                self._kept[weight.name] = kept
                self._hidden[weight.name] = torch.where(kept, 0.0, values)
                self._parameters[weight.name].copy_(torch.where(kept, values, 0.0))

    def on_gradients(self) -> None:
        """Weights that are zero get no gradient."""
        for name, kept in self._kept.items():
            gradient = self._parameters[name].grad
            if gradient is not None:
                gradient.mul_(kept)

    def on_weights(self) -> None:
        """Weights that are zero stay zero, whatever the optimizer remembers."""
        with torch.no_grad():
            for name, kept in self._kept.items():
                self._parameters[name].mul_(kept)

    def state(self) -> dict[str, Any]:
        """What the masks are, on the CPU."""
        kept = {name: mask.cpu() for name, mask in self._kept.items()}
        return {"kept": kept, "hidden": {n: v.cpu() for n, v in self._hidden.items()}, "ratio": self._ratio}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes what `state` gave."""
        on = {name: parameter.device for name, parameter in self._parameters.items()}
        self._kept = {name: mask.to(on[name]) for name, mask in state["kept"].items()}
        self._hidden = {name: value.to(on[name]) for name, value in state["hidden"].items()}
        self._ratio = state["ratio"]

    def _whole(self, name: str) -> Any:
        """A weight with the numbers that are hidden."""
        value = self._parameters[name].detach()
        return value + self._hidden[name] if name in self._hidden else value.clone()

    def _choice(self, whole: Sequence[Any], ratio: float) -> list[Any]:
        match self.wanted.scheme:
            case SparsityScheme.LOCAL:
                return kept_locally(whole, ratio)
            case SparsityScheme.GLOBAL:
                return kept_globally(whole, ratio)
            case _:
                return [kept_in_fours(value, weight.axis) for weight, value in zip(self._weights, whole, strict=True)]
