"""The kind of a model's outputs: logits or probabilities. All outputs of the float model decide it, once.

Single samples would not decide it reliably, nor would an int8 model, whose outputs may leave [0, 1] by a little.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1e-6
# Rows whose sum differs from one by at most this are probabilities; a Softmax in f16 may be off by that much.
_SUM_TOLERANCE = 5e-3


class OutputKind(StrEnum):
    """The meaning of the numbers of an output."""

    LOGITS = "logits"  # any numbers; larger ones are likelier
    SHARES = "shares"  # each is a probability of its own, as behind a Sigmoid
    PROBABILITIES = "probabilities"  # a row adds up to one, as behind a Softmax

    @property
    def threshold(self) -> float:
        """The threshold above which a single number means yes."""
        return 0.0 if self is OutputKind.LOGITS else 0.5


@dataclass(slots=True)
class SeenOutputs:
    """Properties that all values of an output have so far.

    Attributes:
        in_unit: Whether each value lies in [0, 1]; False before any value.
        axes: Axes along which values add up to one, among the last and the second.
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
        """The kind of the values so far; further values can only make it more general."""
        if not (self.any and self.in_unit):
            return OutputKind.LOGITS
        return OutputKind.PROBABILITIES if self.axes else OutputKind.SHARES

    @property
    def possible(self) -> frozenset[OutputKind]:
        """The kinds that are still possible."""
        kinds = list(OutputKind)
        return frozenset(kinds[: kinds.index(self.kind) + 1]) if self.any else frozenset(kinds)

    @property
    def axis(self) -> int:
        """The axis of classes: the last one, or the second if values add up to one only along that."""
        return 1 if self.axes == {1} and self.kind is OutputKind.PROBABILITIES else -1


def _adds_up(values: NDArray[Any], axis: int) -> bool:
    if values.ndim == 0 or (axis == 1 and values.ndim < 3) or values.shape[axis] == 1:
        return False
    return bool(np.abs(values.sum(axis=axis, dtype=np.float64) - 1).max() <= _SUM_TOLERANCE)
