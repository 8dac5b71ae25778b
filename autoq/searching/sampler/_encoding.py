"""Categorical parameters of Optuna as arrays, and back.

| name    | meaning                                                              | shape        |
|---------|----------------------------------------------------------------------|--------------|
| taken   | place of the choice of each unit among its choices; 0 the reference  | [n, units]   |
| fields  | place of the choice of every other parameter                         | [n, fields]  |
| options | whether a unit takes a choice, for each choice but the references    | [n, options] |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution

from autoq.searching.sensitivity import Knowledge
from autoq.searching.space import Dimensions, own_name, plain_choices


@dataclass(frozen=True, slots=True)
class Points:
    """Sets of parameters, n of them.

    Attributes:
        taken: Place of the choice of each unit, [n, units].
        fields: Place of the choice of every other parameter, [n, fields].
    """

    taken: NDArray[np.intp]
    fields: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.taken)

    def __getitem__(self, index: Any) -> Points:  # whatever numpy takes for a first axis
        return Points(self.taken[index], self.fields[index])

    def keys(self) -> NDArray[np.void]:
        """Every set of parameters as bytes, equal for equal sets, [n]."""
        rows = np.hstack([self.taken.astype(np.uint16), self.fields.astype(np.uint16)])
        return np.ascontiguousarray(rows).view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).reshape(-1)

    @classmethod
    def concatenate(cls, parts: Sequence[Points]) -> Self:
        """The points of several, one after the other."""
        return cls(np.concatenate([p.taken for p in parts]), np.concatenate([p.fields for p in parts]))


@dataclass(frozen=True)
class Encoding:
    """The parameters, and where each stands in the arrays.

    Attributes:
        units: Choices of each unit by the name of its parameter, the reference first.
        fields: Choices of every other parameter, of the model as a whole or of a unit for itself.
    """

    units: Mapping[str, tuple[str, ...]]
    fields: Mapping[str, tuple[Any, ...]]

    @classmethod
    def of(cls, search_space: Mapping[str, BaseDistribution], knowledge: Knowledge | None) -> Self:
        """Encoding of the categorical parameters of a search space.

        Args:
            search_space: Distributions of the parameters.
            knowledge: Tells which parameters are units: those of which all choices but one have a distortion.
        """
        choices = {
            name: distribution.choices
            for name, distribution in search_space.items()
            if isinstance(distribution, CategoricalDistribution)
        }
        units = {} if knowledge is None else _units(choices, knowledge)
        return cls(units, {name: words for name, words in choices.items() if name not in units})

    @classmethod
    def of_dimensions(cls, dimensions: Dimensions) -> Self:
        """Encoding of the parameters of a search."""
        fields = {
            name: tuple(plain_choices(choices)) for name, choices in dimensions.fields.items() if len(choices) > 1
        }
        own = {
            own_name(name, dimensions.units[unit].name): tuple(plain_choices(choices))
            for unit in dimensions.groups
            for name, choices in dimensions.own.items()
        }
        return cls({name: unit.choices for name, unit in dimensions.units.items()}, fields | own)

    @classmethod
    def of_units(cls, units: Mapping[str, Sequence[str]]) -> Self:
        """Encoding of units alone.

        Args:
            units: Choices by unit, without the references.
        """
        return cls({unit: ("", *choices) for unit, choices in units.items()}, {})

    @cached_property
    def counts(self) -> NDArray[np.intp]:
        """Number of choices of each unit, [units]."""
        return np.array([len(choices) for choices in self.units.values()], np.intp)

    @cached_property
    def unit_of(self) -> NDArray[np.intp]:
        """Unit of each option, [options]: units in order, and the choices of each but its reference."""
        return np.repeat(np.arange(len(self.units)), self.counts - 1)

    @cached_property
    def choice_of(self) -> NDArray[np.intp]:
        """Place of the choice of each option, [options]."""
        return np.concatenate([np.zeros(0, np.intp), *(np.arange(1, count) for count in self.counts)]).astype(np.intp)

    @cached_property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Unit and choice of each option."""
        return tuple((unit, choice) for unit, choices in self.units.items() for choice in choices[1:])

    @cached_property
    def words(self) -> NDArray[np.intp]:
        """A number for each choice of each unit, [units, most choices]; the same kind and word have the same number."""
        numbers: dict[tuple[str, str], int] = {}
        found = np.full((len(self.units), int(self.counts.max(initial=0))), -1, np.intp)
        for row, (unit, choices) in enumerate(self.units.items()):
            for place, choice in enumerate(choices):
                found[row, place] = numbers.setdefault((unit.partition("/")[0], choice), len(numbers))
        return found

    @property
    def owned(self) -> tuple[tuple[str, int], ...]:
        """Recipe field of each parameter, and the number of the unit that has it for itself; -1 for the whole model."""
        places: dict[str, int] = {}
        for number, unit in enumerate(self.units):
            places.setdefault(unit.partition("/")[2], number)
        parts = [(name, *name.partition("/")) for name in self.fields]
        return tuple((head, places[unit]) if unit in places else (name, -1) for name, head, _, unit in parts)

    def taken_options(self, points: Points) -> NDArray[np.bool_]:
        """Which options the points take, [n, options]."""
        return np.asarray(points.taken[:, self.unit_of] == self.choice_of, np.bool_)

    def taken_words(self, points: Points) -> NDArray[np.intp]:
        """Number of the word that each unit takes, [n, units]."""
        return self.words[np.arange(len(self.units)), points.taken]

    def encode(self, parameters: Sequence[Mapping[str, Any]]) -> Points:
        """Parameters as arrays; each must name every unit and field."""
        taken = [[choices.index(p[unit]) for unit, choices in self.units.items()] for p in parameters]
        fields = [[words.index(p[name]) for name, words in self.fields.items()] for p in parameters]
        n = len(parameters)
        return Points(
            np.array(taken, np.intp).reshape(n, len(self.units)),
            np.array(fields, np.intp).reshape(n, len(self.fields)),
        )

    def decode(self, points: Points, index: int) -> dict[str, Any]:
        """The parameters at one index."""
        units = zip(self.units.items(), points.taken[index], strict=True)
        fields = zip(self.fields.items(), points.fields[index], strict=True)
        made = {name: words[int(choice)] for (name, words), choice in fields}
        return made | {unit: choices[int(choice)] for (unit, choices), choice in units}


def _units(choices: Mapping[str, tuple[Any, ...]], knowledge: Knowledge) -> dict[str, tuple[str, ...]]:
    """Choices of the parameters that are units, the reference first: it alone has no distortion."""
    found = {}
    for name, words in choices.items():
        known = knowledge.distortion.get(name, {})
        references = [word for word in words if word not in known]
        if known and len(references) == 1:
            found[name] = (references[0], *(word for word in words if word in known))
    return found
