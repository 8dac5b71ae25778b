"""One operation on the way of channels, with what a rule may do there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import openvino as ov

from autoq.graph.channels._numbers import AxisLabels, ChannelNumbers, Labels


@dataclass(frozen=True, slots=True)
class Passage:
    """One operation with the numbers of its inputs.

    Attributes:
        op: The operation, of the probe: all its shapes are known.
        name: Its type and unique name, for reasons.
        given: Numbers of each input.
        numbers: All numbers.
        original: The operation as it stands in the model, perhaps with open shapes.
    """

    op: ov.Node
    name: str
    given: Sequence[Labels]
    numbers: ChannelNumbers
    original: ov.Node

    def shape(self, port: int = 0) -> list[int]:
        """Shape of an input."""
        return list(self.op.input_value(port).get_shape())

    def shape_after(self, port: int = 0) -> list[int]:
        """Shape of an output."""
        return list(self.op.output(port).get_shape())

    def fix(self, numbers: AxisLabels | None, why: str) -> None:
        """Fixes numbers; the reason begins with the operation."""
        self.numbers.fix(numbers, f"{self.name} {why}")

    def join(self, given: Sequence[AxisLabels | None]) -> AxisLabels | None:
        """Joins numbers of axes of one length; those of none are fixed if another axis has no channels."""
        known = [one for one in given if one is not None]
        for one in known[1:]:
            self.numbers.join(known[0], one)
        if known and len(known) < len(given):
            self.fix(known[0], "reads it with values that are no channels")
        return known[0] if known else None

    def unknown(self, why: str = "is an operation through which channels are not followed") -> list[Labels]:
        """Fixes all that the operation reads."""
        for labels in self.given:
            for own in labels:
                self.fix(own, why)
        ranks = [output.get_partial_shape().rank for output in self.op.outputs()]
        return [(None,) * (rank.get_length() if rank.is_static else 0) for rank in ranks]
