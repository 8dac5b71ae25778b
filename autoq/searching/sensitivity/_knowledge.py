"""What is known of a problem without trials, from forward passes and profiles: where the models start from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from autoq.core import typed

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """What finding out took of the device, beside the trials.

    Attributes:
        models: That were compiled and run on calibration inputs.
        inferences: Of these, at most.
        profiles: Models that were profiled.
        seconds: All of it.
    """

    models: int = 0
    inferences: int = 0
    profiles: int = 0
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """In a sentence."""
        return (
            f"Beside the trials, {self.models} models were run on calibration inputs, at most {self.inferences:,} "
            f"inferences, and {self.profiles} profiled, in {self.seconds:.0f} s."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What is known of a problem without trials.

    Distortions are by the measure that the space names: 0 is the float model's output.

    Attributes:
        distortion: By unit, of the outputs where it alone is int8, with the default recipe; infinite where the device
            fails to run that.
        interactions: By pair of neighbouring units, distortion of both in int8 less the sum of each alone.
        whole: Distortion with every unit in int8, default recipe.
        recipes: By recipe field and by choice as Optuna stores it, distortion with every unit in int8 where that choice
            alone differs from the default recipe.
        choices: By recipe field and by choice as Optuna stores it, distortion of each unit where it alone is int8 and
            makes that choice for itself.
        gains: By unit, by how much the latency ratio should fall where it is int8, from profiles of the float model
            and of the model in int8.
        neighbours: Pairs of units between which a tensor flows: where they differ in precision, it is converted.
        probes: What it took to find out.
    """

    distortion: Mapping[str, float]
    gains: Mapping[str, float]
    whole: float
    interactions: Mapping[Pair, float] = field(default_factory=dict)
    recipes: Mapping[str, Mapping[Any, float]] = field(default_factory=dict)
    choices: Mapping[str, Mapping[Any, Mapping[str, float]]] = field(default_factory=dict)
    neighbours: tuple[Pair, ...] = ()
    probes: Probes = Probes()

    @property
    def ranking(self) -> list[str]:
        """Units by distortion, most sensitive first."""
        return sorted(self.distortion, key=lambda unit: -self.distortion[unit])

    def factor(self, name: str, choice: Any, unit: str) -> float:  # any choice of Optuna's
        """How many times the distortion of a unit by its defaults another choice of its own makes; 1 if not known."""
        usual, found = self.distortion.get(unit, 0.0), self.choices.get(name, {}).get(choice, {}).get(unit)
        if found is None or found == usual or not math.isfinite(usual):
            return 1.0
        return found / usual if usual > 0 else math.inf

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        pairs = [[*pair, value] for pair, value in self.interactions.items()]
        recipes = {name: [list(item) for item in choices.items()] for name, choices in self.recipes.items()}
        return {
            **asdict(self),
            "interactions": pairs,
            "recipes": recipes,
            "choices": {
                name: [[choice, dict(units)] for choice, units in made.items()] for name, made in self.choices.items()
            },
            "neighbours": [list(p) for p in self.neighbours],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote.

        Raises:
            StoredFileError: It wrote something else.
        """
        return typed(
            cls,
            values,
            "what was found out",
            interactions=lambda pairs: {(str(one), str(other)): float(value) for one, other, value in pairs},
            recipes=lambda recipes: {n: {made: float(v) for made, v in items} for n, items in recipes.items()},
            choices=lambda choices: {n: {made: dict(units) for made, units in items} for n, items in choices.items()},
            probes=lambda probes: typed(Probes, probes, "probes"),
        )
