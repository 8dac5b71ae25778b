"""A space so small that its plans can be numbered: few units and few recipes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from autoq.core import ConfigError, Plan, PlanError, Recipe
from autoq.searching.space import Dimensions, SearchSpace

# A table with more units would take days to record.
_MOST_UNITS = 16


@dataclass(frozen=True)
class ReducedSpace:
    """All plans over some units and recipes, in rows.

    Row 0 is the float model, which is the same under every recipe. The plans of each recipe follow. The place of a plan
    among them, counted from 1, is a number with one digit for each unit, the lowest for the first one: the place of the
    choice of the unit. Where units have two choices, the digits are bits.

    Attributes:
        space: Choices of the recipes.
        units: Groups by unit; the groups of a unit take one choice.

    Raises:
        ConfigError: There are too many units, several runtime precisions (each has a float model of its own), or recipe
            fields of single units.
    """

    space: SearchSpace
    units: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if not 1 <= len(self.units) <= _MOST_UNITS:
            msg = f"all plans over {len(self.units)} units are too many, or none: 1 to {_MOST_UNITS} can be numbered."
            raise ConfigError(msg)
        if len(self.space.runtime_precisions) > 1:
            names = ", ".join(map(str, self.space.runtime_precisions))
            msg = f"a space whose plans are numbered has one runtime precision, not {names}."
            raise ConfigError(msg)
        if self.space.unit_choices():
            names = ", ".join(self.space.per_unit)
            msg = f"a space whose plans are numbered has no choices of single units: leave {names} out of per_unit."
            raise ConfigError(msg)

    def __len__(self) -> int:
        return 1 + len(self.recipes) * self._plans

    def __iter__(self) -> Iterator[Plan]:
        return (self.plan(row) for row in range(len(self)))

    @property
    def _plans(self) -> int:
        """Number of plans of one recipe, without the float model."""
        return math.prod(self._bases) - 1

    @property
    def _bases(self) -> list[int]:
        """Number of choices of each unit."""
        return [len(unit.choices) for unit in self.dimensions.units.values()]

    @cached_property
    def dimensions(self) -> Dimensions:
        """The dimensions of a search."""
        return Dimensions.of(self.space, self.units)

    @cached_property
    def recipes(self) -> tuple[Recipe, ...]:
        """Every combination of choices, the default first."""
        choices = self.space.recipe_choices()
        return tuple(Recipe(**dict(zip(choices, chosen, strict=True))) for chosen in product(*choices.values()))

    @cached_property
    def _place_of(self) -> Mapping[Recipe, int]:
        return {recipe: place for place, recipe in enumerate(self.recipes)}

    def plan(self, row: int) -> Plan:
        """The plan of a row.

        Raises:
            IndexError: There is no such row.
        """
        if not 0 <= row < len(self):
            msg = f"row {row} of a space of {len(self)} plans."
            raise IndexError(msg)
        place, number = divmod(max(row - 1, 0), self._plans)
        number += min(row, 1)
        chosen = {}
        for name, unit in self.dimensions.units.items():
            number, digit = divmod(number, len(unit.choices))
            chosen[name] = unit.choices[digit]
        return self.dimensions.plan_of(chosen, self.recipes[place])

    def row(self, plan: Plan) -> int:
        """The row of a plan.

        Raises:
            PlanError: It has a recipe that is not among the choices, or treats the groups of a unit differently.
        """
        number, base = 0, 1
        for unit in self.dimensions.units.values():
            given = {str(plan.quantization.precision(group)) for group in unit.members}
            if len(given) != 1 or not given <= set(unit.choices):
                found, known = ", ".join(sorted(given)), ", ".join(unit.choices)
                msg = f"plan gives the groups of the unit {unit.name!r} {found}: all must have the same of {known}."
                raise PlanError(msg)
            number += unit.choices.index(given.pop()) * base
            base *= len(unit.choices)
        recipe = plan.quantization.recipe
        if recipe not in self._place_of:
            choices = {name: list(map(str, values)) for name, values in self.space.recipe_choices().items()}
            msg = f"plan has a recipe that is not among the choices: {recipe.to_dict()}; these are {choices}."
            raise PlanError(msg)
        return self._place_of[recipe] * self._plans + number if number else 0
