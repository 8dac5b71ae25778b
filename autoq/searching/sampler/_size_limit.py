"""A limit on the size of a model, in what each unit saves of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoq.searching.sensitivity import ByChoice, Option


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """What plans have to save, compared with the float model.

    Attributes:
        saved: Bytes that each choice of a unit saves.
        needed: Bytes that have to be saved.
    """

    saved: ByChoice
    needed: float

    def of(self, options: Sequence[Option]) -> NDArray[np.float64]:
        """Bytes that options save, [options]; one that is not known saves nothing."""
        return np.array([self.saved.get(unit, {}).get(choice, 0.0) for unit, choice in options], np.float64)
