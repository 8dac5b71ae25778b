"""Whether a model's outputs are probabilities: decided once, by the float model, on all that it puts out.

Of single samples, or of an int8 model whose outputs leave [0, 1] by a little, it would be decided now one way, now the
other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1e-6
# Rows that add up to one this closely are probabilities; a Softmax in f16 is off by so much.
_SUM_TOLERANCE = 5e-3


class OutputKind(StrEnum):
    """What the numbers of an output mean."""

    LOGITS = "logits"  # any numbers: the larger, the likelier
    SHARES = "shares"  # each in [0, 1], a probability of its own, as behind a Sigmoid
    PROBABILITIES = "probabilities"  # those of a row add up to one, as behind a Softmax

    @property
    def threshold(self) -> float:
        """Above it, a number by itself says yes."""
        return 0.0 if self is OutputKind.LOGITS else 0.5


@dataclass(slots=True)
class SeenOutputs:
    """What all values of an output so far have in common.

    Attributes:
        in_unit: Each lies in [0, 1]; False before any.
        axes: Along these, values add up to one: the last, the second of several.
        any: Whether there were values.
    """

    in_unit: bool = True
    axes: set[int] = field(default_factory=lambda: {-1, 1})
    any: bool = False

    def update(self, values: NDArray[Any]) -> None:
        """Takes further values, [...]."""
        if not self.in_unit or not values.size:
            return
        self.any = True
        self.in_unit = bool(values.dtype.kind == "f" and values.min() >= -_TOLERANCE and values.max() <= 1 + _TOLERANCE)
        if self.in_unit:
            self.axes = {axis for axis in self.axes if _adds_up(values, axis)}

    @property
    def kind(self) -> OutputKind:
        """What the values are, as far as they have been seen; further ones can only make it less special."""
        if not (self.any and self.in_unit):
            return OutputKind.LOGITS
        return OutputKind.PROBABILITIES if self.axes else OutputKind.SHARES

    @property
    def possible(self) -> frozenset[OutputKind]:
        """What they may still turn out to be."""
        kinds = list(OutputKind)
        return frozenset(kinds[: kinds.index(self.kind) + 1]) if self.any else frozenset(kinds)

    @property
    def axis(self) -> int:
        """Along which classes lie: the last, but where values add up along the second alone."""
        return 1 if self.axes == {1} and self.kind is OutputKind.PROBABILITIES else -1


def _adds_up(values: NDArray[Any], axis: int) -> bool:
    if values.ndim == 0 or (axis == 1 and values.ndim < 3) or values.shape[axis] == 1:
        return False
    return bool(np.abs(values.sum(axis=axis, dtype=np.float64) - 1).max() <= _SUM_TOLERANCE)
