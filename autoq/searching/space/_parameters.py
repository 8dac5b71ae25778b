"""Plans as Optuna parameters and back: one categorical per dimension that has a choice.

"preset" is a choice of the model as a whole, "precision/conv1" the precision of the unit conv1, "preset/conv1" what
that unit chooses for itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import optuna

from autoq.core import Plan, Precision, RangeEstimator, Recipe
from autoq.searching.space._space import SearchSpace

PRECISION_PREFIX = "precision/"


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The searchable dimensions of one space on one model.

    Attributes:
        recipe: Choices by recipe field.
        units: Groups by unit; the groups of a unit share one precision.
        own: Choices by recipe field that each unit has for itself.
        floats: Groups of no unit, which are float in every plan.
    """

    recipe: Mapping[str, tuple[Any, ...]]
    units: Mapping[str, tuple[str, ...]]
    own: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    floats: frozenset[str] = frozenset()

    @classmethod
    def of(cls, space: SearchSpace, units: Mapping[str, Sequence[str]]) -> Dimensions:
        """Dimensions of a space on a model whose groups make these units."""
        held = {unit: tuple(groups) for unit, groups in units.items()}
        return cls(space.recipe_choices(), held, space.unit_choices())

    def without(self, groups: Collection[str]) -> Dimensions:
        """The same with some groups in float for good."""
        left = {unit: tuple(name for name in held if name not in groups) for unit, held in self.units.items()}
        units = {unit: held for unit, held in left.items() if held}
        return replace(self, units=units, floats=self.floats.union(groups))

    @property
    def cardinality(self) -> int:
        """Number of plans that can be written down; several may build the same model."""
        # A unit in float has nothing to choose.
        of_unit = 1 + math.prod(map(len, self.own.values()))
        return int(of_unit ** len(self.units)) * math.prod(map(len, self.recipe.values()))

    def suggest(self, trial: optuna.trial.BaseTrial) -> Plan:
        """Asks the sampler for one plan."""
        recipe = {
            name: trial.suggest_categorical(name, plain_choices(choices)) if len(choices) > 1 else choices[0]
            for name, choices in self.recipe.items()
        }
        words = [str(Precision.INT8), str(Precision.FLOAT)]
        precisions = {
            group: Precision.parse(trial.suggest_categorical(PRECISION_PREFIX + unit, words))
            for unit, groups in self.units.items()
            for group in groups
        } | dict.fromkeys(sorted(self.floats), Precision.FLOAT)
        # All units are asked, those in float too: a parameter that only some trials have is one that no sampler models.
        own = {
            unit: {
                name: trial.suggest_categorical(own_name(name, unit), plain_choices(choices))
                for name, choices in self.own.items()
            }
            for unit in self.units
        }
        parsed = {unit: Recipe.from_dict(made) for unit, made in own.items()} if self.own else {}
        return Plan.quantized(
            Recipe.from_dict(recipe),
            precisions,
            {
                group: {name: getattr(parsed[unit], name) for name in self.own}
                for unit, groups in self.units.items()
                if unit in parsed
                for group in groups
            },
        )

    def plan(self, parameters: Mapping[str, Any]) -> Plan:
        """The plan of some parameters."""
        return self.suggest(optuna.trial.FixedTrial(dict(parameters)))

    def parameters(self, plan: Plan) -> dict[str, Any]:
        """The parameters that make `suggest` return this plan; a plan must treat the groups of a unit alike."""
        part = plan.quantization
        recipe = {
            name: plain_choices([getattr(part.recipe, name)])[0]
            for name, choices in self.recipe.items()
            if len(choices) > 1
        }
        precisions = {
            PRECISION_PREFIX + unit: str(part.precision(groups[0])) for unit, groups in self.units.items() if groups
        }
        own = {
            own_name(name, unit): plain_choices([getattr(part.recipe_of(groups[0]), name)])[0]
            for unit, groups in self.units.items()
            if groups
            for name in self.own
        }
        return recipe | precisions | own


def own_name(field_name: str, unit: str) -> str:
    """The parameter of what a unit chooses for itself."""
    return f"{field_name}/{unit}"


def plan_of_units(
    recipe: Recipe,
    units: Mapping[str, Sequence[str]],
    int8: Collection[str],
    own: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Plan:
    """The plan with some units in int8 and all others in float.

    Args:
        recipe: Of the plan.
        units: Groups by unit.
        int8: Units.
        own: What units choose for themselves, by unit and recipe field.
    """
    precisions = {
        group: Precision.INT8 if unit in int8 else Precision.FLOAT for unit, groups in units.items() for group in groups
    }
    choices = {group: own[unit] for unit, groups in units.items() if unit in own for group in groups}
    return Plan.quantized(recipe, precisions, choices)


def plain_choices(choices: Sequence[Any]) -> list[Any]:
    """Choices as Optuna stores them: words as plain strings, estimators as their name or JSON."""

    def plain(choice: object) -> object:
        if isinstance(choice, RangeEstimator):
            written = choice.to_plain()
            return written if isinstance(written, str) else json.dumps(written, sort_keys=True)
        return str(choice) if isinstance(choice, str) else choice

    return [plain(choice) for choice in choices]
