"""Channel numbers: each channel of each axis has one; numbers of channels that can only go together are joined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

AxisLabels = NDArray[np.int64]
# Numbers along each axis of a tensor; None for an axis that holds no channels, such as positions of an image.
Labels = tuple[AxisLabels | None, ...]


class ChannelNumbers:
    """All channel numbers of a model: a union-find, in which a joined set may be fixed for a reason."""

    def __init__(self) -> None:
        self._parents = np.arange(1024)
        self._count = 0
        self._fixed: list[tuple[AxisLabels, str]] = []

    def fresh(self, count: int) -> AxisLabels:
        """New numbers."""
        first, self._count = self._count, self._count + count
        if self._count > len(self._parents):
            more = np.arange(len(self._parents), 2 * self._count)
            self._parents = np.concatenate([self._parents, more])
        return np.arange(first, self._count)

    def fresh_fixed(self, count: int, reason: str) -> AxisLabels:
        """New numbers that are fixed."""
        made = self.fresh(count)
        self.fix(made, reason)
        return made

    def roots(self, numbers: AxisLabels) -> AxisLabels:
        """For each number the smallest one that it is joined with."""
        found = self._parents[numbers]
        while not np.array_equal(above := self._parents[found], found):
            found = above
        self._parents[numbers] = found
        return found

    def join(self, first: AxisLabels, second: AxisLabels) -> None:
        """Joins numbers pairwise."""
        while (apart := (one := self.roots(first)) != (other := self.roots(second))).any():
            # Of several numbers that a root is joined with here, the smallest one is taken first.
            np.minimum.at(self._parents, np.maximum(one, other)[apart], np.minimum(one, other)[apart])

    def fix(self, numbers: AxisLabels | None, reason: str) -> None:
        """Fixes channels: they and all that they are joined with, now or later, stay."""
        if numbers is not None and len(numbers):
            self._fixed.append((numbers, reason))

    def reasons(self) -> dict[int, str]:
        """Why channels stay, by root; the first reason that was given."""
        found: dict[int, str] = {}
        for numbers, reason in self._fixed:
            for root in np.unique(self.roots(numbers)).tolist():
                found.setdefault(root, reason)
        return found
