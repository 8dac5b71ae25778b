"""Masks of weights that learn: what is masked is zero, does not learn, and may come back while the ratio grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from autoq.core import Sparsity, SparsityScheme
from autoq.training.sparsity._choice import kept_at_a_price, kept_globally, kept_in_fours, kept_locally

# Share of a step in the mean of squared gradients: so many steps count that batches differ little.
_NEWEST = 0.02


@dataclass(frozen=True, slots=True)
class SparseWeight:
    """A weight that gets zeros.

    Attributes:
        name: Name of the parameter.
        axes: Its input axis, and the others whose numbers belong to one output channel.
    """

    name: str
    axes: tuple[int, ...]


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
        # Means of squared gradients by channel, where they choose; empty before the first step.
        self._squares: dict[str, Any] = {}
        self._choice_made: int | None = None

    def reset(self) -> None:
        """Forgets all masks and gradients, after the module got other numbers."""
        self._kept, self._hidden, self._squares, self._choice_made = {}, {}, {}, None

    def choose(self, share: float) -> None:
        """Chooses the weights that are zero after a share of the training, if a choice is due."""
        due = self.wanted.choice(share)
        if due == self._choice_made:
            return
        self._choice_made = due
        with torch.no_grad():
            whole = [self._whole(weight.name) for weight in self._weights]
            kept_ones = self._choice(whole, self.wanted.at(share))
            for weight, values, kept in zip(self._weights, whole, kept_ones, strict=True):
                self._kept[weight.name] = kept
                self._hidden[weight.name] = torch.where(kept, 0.0, values)
                self._parameters[weight.name].copy_(torch.where(kept, values, 0.0))

    def on_gradients(self) -> None:
        """Weights that are zero get no gradient; what it tells of them is seen before."""
        if self.wanted.scheme is SparsityScheme.REGULARIZED:
            self._see_gradients()
        for name, kept in self._kept.items():
            gradient = self._parameters[name].grad
            if gradient is not None:
                gradient.mul_(kept)

    def _see_gradients(self) -> None:
        for weight in self._weights:
            gradient = self._parameters[weight.name].grad
            if gradient is not None:
                seen = gradient.square().mean(dim=weight.axes, keepdim=True)
                before = self._squares.get(weight.name, seen)
                self._squares[weight.name] = before + _NEWEST * (seen - before)

    def on_weights(self) -> None:
        """Weights that are zero stay zero, whatever the optimizer remembers."""
        with torch.no_grad():
            for name, kept in self._kept.items():
                self._parameters[name].mul_(kept)

    def state(self) -> dict[str, Any]:
        """What the masks are, on the CPU."""
        parts = {"kept": self._kept, "hidden": self._hidden, "squares": self._squares}
        found = {part: {name: value.cpu() for name, value in values.items()} for part, values in parts.items()}
        return {**found, "choice_made": self._choice_made}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes what `state` gave."""
        self._kept, self._hidden, self._squares = (
            {name: value.to(self._parameters[name].device) for name, value in state[part].items()}
            for part in ("kept", "hidden", "squares")
        )
        self._choice_made = state["choice_made"]

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
            case SparsityScheme.REGULARIZED if self._squares:
                nothing = whole[0].new_zeros(())
                squares = [self._squares.get(weight.name, nothing) for weight in self._weights]
                return kept_at_a_price(whole, [(one + one.mean()) / 2 for one in squares], ratio)
            case SparsityScheme.REGULARIZED:
                # Without gradients nothing is known of the loss.
                return kept_globally(whole, ratio)
            case _:
                return [
                    kept_in_fours(value, weight.axes[0]) for weight, value in zip(self._weights, whole, strict=True)
                ]
