"""The model of a cost that is known without measurements: the size of the weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoq.searching.sampler._additive_process import Design

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KnownCost:
    """Predicts the prior mean, in the place of an `AdditiveProcess`.

    Attributes:
        design: Of the data.
        y: Their values, [n].
    """

    design: Design
    y: Floats

    def predict(self, design: Design) -> tuple[Floats, Floats]:
        """Mean and standard deviation at some points, [n] each."""
        return design.mean, np.zeros(len(design.mean))

    def settled(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the data themselves, [n] each."""
        return self.y, np.zeros(len(self.y))

    def leave_one_out(self) -> Floats:
        """Each value less its prediction, [n]."""
        return self.y - self.design.mean

    def draw_weights(self, rng: np.random.Generator, count: int) -> list[Floats]:
        """Weights of each block: all are 0, [count, p] each."""
        return [np.zeros((count, block.shape[1])) for block in self.design.blocks]
