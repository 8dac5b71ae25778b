"""Categorical parameters of Optuna as arrays, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution

from autoq.core import Precision
from autoq.searching.space import PRECISION_PREFIX, Dimensions, own_name, plain_choices


@dataclass(frozen=True, slots=True)
class Points:
    """Sets of parameters, n of them.

    Attributes:
        int8: Whether each unit is int8, [n, units].
        choices: Index of the choice of every other parameter, [n, fields].
    """

    int8: NDArray[np.bool_]
    choices: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.int8)

    def __getitem__(self, index: Any) -> Points:  # whatever numpy takes for a first axis
        return Points(self.int8[index], self.choices[index])

    def keys(self) -> NDArray[np.void]:
        """Every set of parameters as bytes, equal for equal sets, [n]."""
        rows = np.hstack([self.int8.astype(np.uint16), self.choices.astype(np.uint16)])
        return np.ascontiguousarray(rows).view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).reshape(-1)

    @classmethod
    def concatenate(cls, parts: Sequence[Points]) -> Self:
        """The points of several, one after the other."""
        return cls(np.concatenate([p.int8 for p in parts]), np.concatenate([p.choices for p in parts]))


@dataclass(frozen=True, slots=True)
class Encoding:
    """Which parameters there are.

    Attributes:
        units: Units whose precision is searched, of a search space of autoq.
        fields: Choices of every other parameter, of the model as a whole or of a unit for itself.
    """

    units: tuple[str, ...]
    fields: Mapping[str, tuple[Any, ...]]

    @classmethod
    def of(cls, search_space: Mapping[str, BaseDistribution]) -> Self:
        """Encoding of a search space; what is not categorical is left out."""
        choices = {
            name: distribution.choices
            for name, distribution in search_space.items()
            if isinstance(distribution, CategoricalDistribution)
        }
        words = {str(Precision.INT8), str(Precision.FLOAT)}
        units = [name for name, words_of in choices.items() if _is_unit(name) and set(words_of) == words]
        return cls(
            tuple(name.removeprefix(PRECISION_PREFIX) for name in units),
            {name: words_of for name, words_of in choices.items() if name not in units},
        )

    @classmethod
    def of_dimensions(cls, dimensions: Dimensions) -> Self:
        """Encoding of what a search of these dimensions asks for."""
        fields = {
            name: tuple(plain_choices(choices)) for name, choices in dimensions.recipe.items() if len(choices) > 1
        }
        own = {
            own_name(name, unit): tuple(plain_choices(choices))
            for unit in dimensions.units
            for name, choices in dimensions.own.items()
        }
        return cls(tuple(dimensions.units), fields | own)

    @property
    def owned(self) -> tuple[tuple[str, int], ...]:
        """Recipe field that each parameter is of, and number of the unit that chooses it for itself; -1 for none."""
        places = {unit: number for number, unit in enumerate(self.units)}
        parts = [(name, *name.partition("/")) for name in self.fields]
        return tuple((head, places[unit]) if unit in places else (name, -1) for name, head, _, unit in parts)

    def encode(self, parameters: Sequence[Mapping[str, Any]]) -> Points:
        """Parameters as arrays; each must name every unit and field."""
        int8 = [[p[PRECISION_PREFIX + unit] == str(Precision.INT8) for unit in self.units] for p in parameters]
        choices = [[words.index(p[name]) for name, words in self.fields.items()] for p in parameters]
        n = len(parameters)
        return Points(
            np.array(int8, np.bool_).reshape(n, len(self.units)),
            np.array(choices, np.intp).reshape(n, len(self.fields)),
        )

    def decode(self, points: Points, index: int) -> dict[str, Any]:
        """The parameters at one index."""
        words = [str(Precision.INT8) if int8 else str(Precision.FLOAT) for int8 in points.int8[index]]
        precisions = {PRECISION_PREFIX + unit: word for unit, word in zip(self.units, words, strict=True)}
        chosen = zip(self.fields.items(), points.choices[index], strict=True)
        return {name: words[int(choice)] for (name, words), choice in chosen} | precisions


def _is_unit(name: str) -> bool:
    return name.startswith(PRECISION_PREFIX)
