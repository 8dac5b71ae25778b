"""Scores of many models on the same samples, kept small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

# Codes of two bytes distinguish so many values; float16 has fewer finite ones.
_MOST_LEVELS = 2**16


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Scores [rows, samples], each as the number of its level.

    Scores of a metric have few levels: 0 and 1, or edits over the length of a text.

    Attributes:
        levels: The different values, ascending, [levels].
        codes: Place of each score among the levels, uint8 or uint16, [rows, samples].
    """

    levels: NDArray[np.float64]
    codes: NDArray[np.unsignedinteger[Any]]

    @classmethod
    def of(cls, scores: NDArray[np.float64]) -> Self:
        """Makes a table of scores [rows, samples]; more than 65,536 different values are rounded to float16."""
        levels, codes = np.unique(scores, return_inverse=True)
        if len(levels) > _MOST_LEVELS:
            levels, codes = np.unique(scores.astype(np.float16), return_inverse=True)
        return cls(levels.astype(np.float64), codes.reshape(scores.shape).astype(_code_type(len(levels))))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> NDArray[np.float64]:
        return np.asarray(self.levels[self.codes[row]], np.float64)

    @property
    def means(self) -> NDArray[np.float64]:
        """Mean score of each row, [rows]."""
        return np.array([self[row].mean() for row in range(len(self))])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The table as arrays; with two levels, each score is one bit."""
        codes = np.packbits(self.codes.astype(bool), axis=1) if len(self.levels) <= 2 else self.codes
        return {"levels": self.levels, "codes": codes, "samples": np.array(self.codes.shape[1])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Reads what `to_arrays` made."""
        levels, codes = arrays["levels"], arrays["codes"]
        if len(levels) <= 2:
            codes = np.unpackbits(codes, axis=1, count=int(arrays["samples"]))
        return cls(levels, codes)


def _code_type(levels: int) -> type[np.unsignedinteger[Any]]:
    return np.uint8 if levels <= 2**8 else np.uint16
