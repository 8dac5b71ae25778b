"""Plans of compression: a recipe, and the format of every weight."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Self

from autoq.core.values import brief_repr, known_keys, mapping_of
from autoq.core.weights._format import WeightFormat
from autoq.core.weights._recipe import CompressionRecipe


@dataclass(frozen=True, slots=True)
class CompressionPlan:
    """The part of a plan that compresses weights.

    Attributes:
        recipe: The settings that the formats followed from.
        formats: Format by name of the weight, which is that of the operation that reads it first. Other weights stay in
            float.
    """

    kind: ClassVar[str] = "compression"

    recipe: CompressionRecipe
    formats: Mapping[str, WeightFormat] = field(default_factory=dict)

    __repr__ = brief_repr

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "formats", MappingProxyType({name: self.formats[name] for name in sorted(self.formats)})
        )

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), sort_keys=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.recipe, dict(self.formats))

    def to_dict(self) -> dict[str, Any]:
        """The part as plain values."""
        return {
            "recipe": self.recipe.to_dict(),
            "formats": {name: form.to_dict() for name, form in self.formats.items()},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote.

        Raises:
            PlanError: A key or a word is unknown, or a value is not possible.
        """
        given = known_keys(values, ["recipe", "formats"], "compression plan")
        formats = mapping_of(given.get("formats", {}), "the formats of a compression plan")
        recipe = CompressionRecipe.from_dict(given.get("recipe", {}))
        return cls(recipe, {str(name): WeightFormat.from_dict(form) for name, form in formats.items()})

    @property
    def settings(self) -> Mapping[str, Any]:
        """The recipe as plain values by name, each named after weights."""
        return {f"weight_{name}": value for name, value in self.recipe.to_dict().items()}

    @property
    def summary(self) -> str:
        """The formats that weights have, and the recipe, in a line."""
        return ", ".join([f"weights {self._counts}", *self.recipe.beside_format])

    @property
    def facts(self) -> Mapping[str, str]:
        """How many weights have each format."""
        return {"formats of weights": self._counts}

    @property
    def _counts(self) -> str:
        counts = Counter(map(str, self.formats.values()))
        return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"

    @property
    def computes_in(self) -> Hashable:
        """The formats of the weights."""
        return frozenset(self.formats.items())
