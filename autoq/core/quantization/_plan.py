"""Plans of quantization: a recipe, and the precision of every group."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

from autoq.core.quantization._recipe import READERS, Recipe, plain
from autoq.core.values import brief_repr, known_keys, mapping_of
from autoq.core.vocabulary import BiasCorrection, Precision
from autoq.core.words import PlanError, nearest, quoted

# Fields of a recipe that a group may choose for itself.
GROUP_CHOICES = (
    "preset",
    "range_estimator",
    "weight_range_estimator",
    "bias_correction",
    "overflow_fix",
    "smooth_quant_alpha",
)


@dataclass(frozen=True, slots=True)
class QuantizationPlan:
    """The part of a plan that quantizes: a recipe and the precision of every group.

    Attributes:
        recipe: The choices that hold for the whole model.
        precisions: Precision by name of the group; groups that are not named have the mode of the recipe.
        choices: By name of the group, fields of `GROUP_CHOICES` that differ from the recipe for this group. Fields that
            are equal to the recipe's are left out, and so are choices of groups in float.
    """

    kind: ClassVar[str] = "quantization"

    recipe: Recipe = field(default_factory=Recipe)
    precisions: Mapping[str, Precision] = field(default_factory=dict)
    choices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    __repr__ = brief_repr

    def __post_init__(self) -> None:
        precisions = {group: Precision.parse(self.precisions[group]) for group in sorted(self.precisions)}
        object.__setattr__(self, "precisions", MappingProxyType(precisions))
        kept = {group: self._own_choices(group, self.choices[group]) for group in sorted(self.choices)}
        object.__setattr__(self, "choices", MappingProxyType({group: own for group, own in kept.items() if own}))

    def _own_choices(self, group: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        for name in given:
            if name not in GROUP_CHOICES:
                msg = f"group {group!r} cannot choose {name!r} for itself: {nearest(name, GROUP_CHOICES)}"
                raise PlanError(msg)
        own = {name: value for name, value in sorted(given.items()) if value != getattr(self.recipe, name)}
        accurate = BiasCorrection.ACCURATE in {self.recipe.bias_correction, own.get("bias_correction")}
        if "bias_correction" in own and accurate:
            msg = f"group {group!r} cannot choose its bias correction if that is 'accurate', which is for all layers."
            raise PlanError(msg)
        replace(self.recipe, **own)  # raises an error if the fields do not go together
        return MappingProxyType({} if self.precision(group).is_float else own)

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), sort_keys=True))

    def __reduce__(self) -> tuple[Any, ...]:
        choices = {group: dict(own) for group, own in self.choices.items()}
        return type(self), (self.recipe, dict(self.precisions), choices)

    def precision(self, group: str) -> Precision:
        """Precision of one group."""
        return self.precisions.get(group, self.recipe.mode)

    def recipe_of(self, group: str) -> Recipe:
        """The recipe of one group."""
        own = self.choices.get(group)
        return self.recipe if own is None else replace(self.recipe, **own)

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The recipe of the model and those of groups with choices of their own, each once."""
        return tuple(dict.fromkeys([self.recipe, *map(self.recipe_of, self.choices)]))

    @property
    def float_groups(self) -> frozenset[str]:
        """Names of the groups that this plan leaves in float."""
        return frozenset(group for group, precision in self.precisions.items() if precision.is_float)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values."""
        precisions = {group: str(precision) for group, precision in self.precisions.items()}
        choices = {group: {name: plain(own[name]) for name in own} for group, own in self.choices.items()}
        return {"recipe": self.recipe.to_dict(), "precisions": precisions} | ({"choices": choices} if choices else {})

    @property
    def settings(self) -> Mapping[str, Any]:
        """The recipe as plain values by name."""
        return self.recipe.to_dict()

    @property
    def summary(self) -> str:
        """The recipe in a line, without fields that have their usual values."""
        recipe = self.recipe
        parts = [
            str(recipe.mode),
            f"preset {recipe.preset}",
            f"ranges {recipe.range_estimator}",
            f"of weights {recipe.weight_range_estimator}",
            f"{recipe.subset_size} samples",
            f"bias correction {recipe.bias_correction}",
            *([] if recipe.smooth_quant_alpha is None else [f"SmoothQuant {recipe.smooth_quant_alpha:g}"]),
            *([] if recipe.ignored_scope == "none" else [f"ignored scope {recipe.ignored_scope}"]),
            *([] if str(recipe.runtime_precision) == "default" else [f"float runs in {recipe.runtime_precision}"]),
        ]
        return ", ".join(parts)

    @property
    def facts(self) -> Mapping[str, str]:
        """Texts about single groups, by their topic."""
        choices = "; ".join(
            f"{group}: " + ", ".join(f"{name} {value}" for name, value in own.items())
            for group, own in self.to_dict().get("choices", {}).items()
        )
        floats = {"groups in float": ", ".join(sorted(self.float_groups)) or "none"}
        return floats | ({"choices of groups": choices} if choices else {})

    @property
    def computes_in(self) -> Hashable:
        """The precisions of a model, without the parts of the recipe that only change ranges and biases."""
        recipe = self.recipe
        named = frozenset((group, own) for group, own in self.precisions.items() if own != recipe.mode)
        return named, recipe.mode, recipe.ignored_scope, recipe.runtime_precision

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote.

        Raises:
            PlanError: A key or a word is unknown.
        """
        values = known_keys(values, [f.name for f in fields(cls)], "Plan")
        precisions = dict(_by_group(values, "precisions"))
        choices = {
            group: _parsed(mapping_of(own, f"what group {quoted(group)} chooses"))
            for group, own in _by_group(values, "choices")
        }
        return cls(Recipe.from_dict(values.get("recipe", {})), precisions, choices)


def _by_group(values: Mapping[str, Any], key: str) -> Iterable[tuple[str, Any]]:
    """The values of a plan's key by name of the group."""
    found = values.get(key, {})
    if not isinstance(found, Mapping) or not all(isinstance(group, str) for group in found):
        msg = f"Plan key {key!r} is {quoted(found)}: it must be a mapping of names of groups."
        raise PlanError(msg)
    return found.items()


def _parsed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a recipe from plain values."""
    return {key: READERS[key][1](value) if key in READERS else value for key, value in values.items()}
