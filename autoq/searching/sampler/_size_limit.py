"""A limit on the size of a model, by what each choice of a unit saves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoq.searching.sensitivity import ByChoice, Option


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """Bytes that plans have to save, compared with the float model.

    Attributes:
        saved: Bytes that each choice of a unit saves.
        needed: Bytes that a plan has to save.
    """

    saved: ByChoice
    needed: float

    def of(self, options: Sequence[Option]) -> NDArray[np.float64]:
        """Bytes that options save, [options]; an unknown option saves nothing."""
        return np.array([self.saved.get(unit, {}).get(choice, 0.0) for unit, choice in options], np.float64)
