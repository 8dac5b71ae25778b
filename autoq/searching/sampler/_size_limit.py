"""A limit on the size of a model, in what each unit saves of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """What plans have to save, compared with the float model.

    Attributes:
        saved: Bytes that each unit saves in int8.
        needed: Bytes that have to be saved.
    """

    saved: Mapping[str, float]
    needed: float

    def of(self, units: Sequence[str]) -> NDArray[np.float64]:
        """Bytes that units save, [units]; one that is not known saves nothing."""
        return np.array([self.saved.get(unit, 0.0) for unit in units], np.float64)
