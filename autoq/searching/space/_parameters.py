"""Plans as Optuna parameters and back: one categorical per dimension that has a choice.

"preset" is a choice of the model as a whole, "precision/conv1" that of the unit conv1, "preset/conv1" a field of the
recipe that the unit conv1 has for itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from types import MappingProxyType
from typing import Any

import optuna

from autoq.core import (
    CompressionPlan,
    CompressionRecipe,
    Plan,
    Precision,
    PruningPlan,
    RangeEstimator,
    Recipe,
    RuntimePlan,
    WeightFormat,
)
from autoq.searching.space._space import SearchSpace
from autoq.searching.space._units import (
    PRECISION,
    UNIT_KINDS,
    WEIGHT,
    WIDTH,
    Unit,
    precision_units,
    weight_units,
    width_units,
)

_NO_CHOICES: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
_NO_RUNTIME: Mapping[str, Any] = MappingProxyType({})
_NO_WEIGHTS: Mapping[str, Sequence[WeightFormat]] = MappingProxyType({})
_NO_WIDTHS: Mapping[str, Sequence[float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Dimensions:
    """The searchable dimensions of one space on one model.

    Attributes:
        recipe: Choices by recipe field.
        units: Units by the name of their parameter.
        own: Choices by recipe field that each unit of quantizers has for itself.
        floats: Groups of no unit, which are float in every plan.
        quantizes: Whether plans have a part that quantizes.
        compression: Settings of the part that compresses weights; None without such a part.
        pruning: Settings of the part that removes channels; None without such a part.
        runtime: Choices of the part that is for the device, by field; plans have such a part where there are any.
    """

    recipe: Mapping[str, tuple[Any, ...]]
    units: Mapping[str, Unit]
    own: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    floats: frozenset[str] = frozenset()
    quantizes: bool = True
    compression: CompressionRecipe | None = None
    pruning: PruningPlan | None = None
    runtime: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        space: SearchSpace,
        groups: Mapping[str, Sequence[str]],
        weights: Mapping[str, Sequence[WeightFormat]] = _NO_WEIGHTS,
        widths: Mapping[str, Sequence[float]] = _NO_WIDTHS,
    ) -> Dimensions:
        """Dimensions of a space on a model.

        Args:
            space: The choices.
            groups: Groups that share a precision, by the name of their unit.
            weights: Formats that each weight may take beside float, by its name.
            widths: Shares of its channels that each group of channels may keep beside all, by its name.
        """
        quantized = precision_units(groups, space.quantized) if space.quantized else ()
        units = {unit.parameter: unit for unit in (*quantized, *weight_units(weights), *width_units(widths))}
        return cls(
            space.recipe_choices(),
            units,
            space.unit_choices(),
            quantizes=bool(space.quantized),
            compression=space.compression(),
            pruning=space.pruning(),
            runtime=space.runtime_choices(),
        )

    def without(self, groups: Collection[str]) -> Dimensions:
        """The same dimensions, with some groups in float in every plan."""
        left = {name: tuple(one for one in members if one not in groups) for name, members in self.groups.items()}
        units = {
            name: replace(unit, members=left[name]) if name in left else unit
            for name, unit in self.units.items()
            if left.get(name, True)
        }
        return replace(self, units=units, floats=self.floats.union(groups))

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Groups that share a precision, by the parameter of their unit."""
        return {name: unit.members for name, unit in self.units.items() if unit.kind == PRECISION}

    @property
    def fields(self) -> dict[str, tuple[Any, ...]]:
        """Choices of the whole model by field, the default first; fields of one choice too."""
        return {**self.recipe, **self.runtime}

    @property
    def weights(self) -> dict[str, Unit]:
        """Units of weights, by their parameter."""
        return {name: unit for name, unit in self.units.items() if unit.kind == WEIGHT}

    @property
    def widths(self) -> dict[str, Unit]:
        """Units of channels, by their parameter."""
        return {name: unit for name, unit in self.units.items() if unit.kind == WIDTH}

    @property
    def usual(self) -> dict[str, str]:
        """The usual choice of each unit, which it takes in a plan that treats all units alike."""
        return {name: unit.usual for name, unit in self.units.items()}

    @property
    def left_alone(self) -> dict[str, Unit]:
        """Units that are at their reference in a plan that treats all units alike, by their parameter."""
        return {name: unit for name, unit in self.units.items() if unit.usual == unit.reference}

    @property
    def cardinality(self) -> int:
        """Number of plans that can be written down; several may build the same model."""
        # A unit at its reference has no fields of its own.
        fields = math.prod(map(len, self.own.values()))
        of_units = math.prod(
            1 + (fields if unit.kind == PRECISION else 1) * (len(unit.choices) - 1) for unit in self.units.values()
        )
        return int(of_units) * math.prod(map(len, self.fields.values()))

    def plan_of(
        self,
        chosen: Mapping[str, str],
        recipe: Recipe,
        own: Mapping[str, Mapping[str, Any]] = _NO_CHOICES,
        runtime: Mapping[str, Any] = _NO_RUNTIME,
    ) -> Plan:
        """The plan of some choices.

        Args:
            chosen: Choice by the parameter of the unit; a unit that is not named takes its reference.
            recipe: Of the plan.
            own: Fields of the recipe that units have for themselves, by the parameter of the unit.
            runtime: Choices for the device by field; one that is not named takes its default.
        """
        fields = {group: own[name] for name, unit in self.units.items() if name in own for group in unit.members}
        plan = Plan()
        if self.quantizes:
            plan = Plan.quantized(recipe, dict.fromkeys(sorted(self.floats), Precision.FLOAT))
        if self.compression is not None:
            plan = plan.having(CompressionPlan(self.compression))
        if self.pruning is not None:
            plan = plan.having(self.pruning)
        if self.runtime:
            usual = {name: choices[0] for name, choices in self.runtime.items()}
            plan = plan.having(RuntimePlan(**{**usual, **runtime}))
        choices = [(unit, chosen.get(name, unit.reference)) for name, unit in self.units.items()]
        for kind, of_kind in groupby(sorted(choices, key=lambda choice: choice[0].kind), lambda choice: choice[0].kind):
            plan = UNIT_KINDS[kind].put(plan, list(of_kind))
        if not fields:
            return plan
        part = plan.quantization
        return plan.having(replace(part, choices={**part.choices, **fields}))

    def suggest(self, trial: optuna.trial.BaseTrial) -> Plan:
        """Asks the sampler for one plan."""
        of_model = {
            name: trial.suggest_categorical(name, plain_choices(choices)) if len(choices) > 1 else choices[0]
            for name, choices in self.fields.items()
        }
        recipe, runtime = ({name: of_model[name] for name in part} for part in (self.recipe, self.runtime))
        chosen = {name: trial.suggest_categorical(name, unit.words) for name, unit in self.units.items()}
        groups = self.groups
        # Units at their reference are asked too: no sampler models a parameter that only some trials have.
        own = {
            name: {
                field: trial.suggest_categorical(own_name(field, unit.name), plain_choices(choices))
                for field, choices in self.own.items()
            }
            for name, unit in self.units.items()
            if self.own and name in groups
        }
        parsed = {name: Recipe.from_dict(made) for name, made in own.items()}
        fields = {name: {field: getattr(made, field) for field in self.own} for name, made in parsed.items()}
        return self.plan_of(chosen, Recipe.from_dict(recipe), fields, runtime)

    def plan(self, parameters: Mapping[str, Any]) -> Plan:
        """The plan of some parameters."""
        return self.suggest(optuna.trial.FixedTrial(dict(parameters)))

    def parameters(self, plan: Plan) -> dict[str, Any]:
        """The parameters of a plan: `plan` gives it back. The groups of a unit must have the same choice."""
        chosen: dict[str, Any] = {name: UNIT_KINDS[unit.kind].read(plan, unit) for name, unit in self.units.items()}
        for name, choices in self.runtime.items():
            if len(choices) > 1:
                chosen |= {name: plain_choices([getattr(plan.runtime_choice.plan, name)])[0]}
        if not self.quantizes:
            return chosen
        part = plan.quantization
        recipe = {
            name: plain_choices([getattr(part.recipe, name)])[0]
            for name, choices in self.recipe.items()
            if len(choices) > 1
        }
        own = {
            own_name(field, self.units[name].name): plain_choices([getattr(part.recipe_of(members[0]), field)])[0]
            for name, members in self.groups.items()
            for field in self.own
        }
        return recipe | chosen | own


def own_name(field_name: str, unit: str) -> str:
    """The parameter of a field of the recipe that a unit has for itself."""
    return f"{field_name}/{unit}"


def plain_choices(choices: Sequence[Any]) -> list[Any]:
    """Choices as Optuna stores them: words as plain strings, estimators as their name or JSON."""

    def plain(choice: object) -> object:
        if isinstance(choice, RangeEstimator):
            written = choice.to_plain()
            return written if isinstance(written, str) else json.dumps(written, sort_keys=True)
        return str(choice) if isinstance(choice, str) else choice

    return [plain(choice) for choice in choices]
