"""Plans as Optuna parameters and back: one categorical per dimension that has a choice."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna

from autoq.core import Precision, QuantizationPlan, RangeEstimator, Recipe
from autoq.search._space import SearchSpace

PRECISION_PREFIX = "precision/"


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The searchable dimensions of one space on one model.

    Attributes:
        recipe: Choices by recipe field.
        units: Groups by unit; the groups of a unit share one precision.
    """

    recipe: Mapping[str, tuple[Any, ...]]
    units: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, space: SearchSpace, units: Mapping[str, Sequence[str]]) -> Dimensions:
        """Dimensions of a space on a model whose groups make these units."""
        return cls(space.recipe_choices(), {unit: tuple(groups) for unit, groups in units.items()})

    @property
    def cardinality(self) -> int:
        """Number of plans that can be written down; several may build the same model."""
        count = int(2 ** len(self.units))
        for choices in self.recipe.values():
            count *= len(choices)
        return count

    def suggest(self, trial: optuna.trial.BaseTrial) -> QuantizationPlan:
        """Asks the sampler for one plan."""
        recipe = {
            name: trial.suggest_categorical(name, plain_choices(choices)) if len(choices) > 1 else choices[0]
            for name, choices in self.recipe.items()
        }
        words = [str(Precision.INT8), str(Precision.FLOAT)]
        precisions = {
            group: Precision(trial.suggest_categorical(PRECISION_PREFIX + unit, words))
            for unit, groups in self.units.items()
            for group in groups
        }
        return QuantizationPlan(Recipe.from_dict(recipe), precisions)

    def plan(self, parameters: Mapping[str, Any]) -> QuantizationPlan:
        """The plan of some parameters."""
        return self.suggest(optuna.trial.FixedTrial(dict(parameters)))

    def parameters(self, plan: QuantizationPlan) -> dict[str, Any]:
        """The parameters that make `suggest` return this plan; a plan must treat the groups of a unit alike."""
        recipe = {
            name: plain_choices([getattr(plan.recipe, name)])[0]
            for name, choices in self.recipe.items()
            if len(choices) > 1
        }
        return recipe | {
            PRECISION_PREFIX + unit: str(plan.precision(groups[0])) for unit, groups in self.units.items() if groups
        }


def plan_of_units(recipe: Recipe, units: Mapping[str, Sequence[str]], int8: Collection[str]) -> QuantizationPlan:
    """The plan with some units in int8 and all others in float.

    Args:
        recipe: Of the plan.
        units: Groups by unit.
        int8: Units.
    """
    precisions = {
        group: Precision.INT8 if unit in int8 else Precision.FLOAT for unit, groups in units.items() for group in groups
    }
    return QuantizationPlan(recipe, precisions)


def plain_choices(choices: Sequence[Any]) -> list[Any]:
    """Choices as Optuna stores them: words as plain strings, estimators as their name or JSON."""

    def plain(choice: object) -> object:
        if isinstance(choice, RangeEstimator):
            written = choice.to_plain()
            return written if isinstance(written, str) else json.dumps(written, sort_keys=True)
        return str(choice) if isinstance(choice, str) else choice

    return [plain(choice) for choice in choices]
