"""Knowledge of a problem before any trial, from forward passes and profiles: the prior of the surrogate models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from autoq.core import typed

Pair = tuple[str, str]
# A unit and one of its choices.
Option = tuple[str, str]
# A number for each choice of each unit but its reference.
ByChoice = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """The cost of probing the model, beside the trials.

    Attributes:
        models: Number of models that were compiled and run on calibration inputs.
        inferences: Number of their inferences at most.
        profiles: Number of models that were profiled.
        seconds: Wall time of all of it.
    """

    models: int = 0
    inferences: int = 0
    profiles: int = 0
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """The cost in a sentence."""
        return (
            f"Beside the trials, {self.models} models were run on calibration inputs, at most {self.inferences:,} "
            f"inferences, and {self.profiles} profiled, in {self.seconds:.0f} s."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """Knowledge of the units before any trial.

    A unit is named by its parameter. Distortions are in the measure that the space names; the float model has 0.

    Attributes:
        distortion: Distortion of the outputs when one unit alone takes a choice, with the default recipe; infinite if
            the device fails.
        gains: Expected fall of the latency ratio by choice, from profiles; or of the ratio of sizes, which is exact.
        whole: Distortion with the usual choice of every unit and the default recipe.
        interactions: Distortion of two options of neighbours together, less the sum of both alone.
        recipes: Distortion with the usual choice of every unit, when one recipe field differs from the default: by
            field, and by choice as Optuna stores it.
        own: Distortion of each unit alone with its usual choice, when one recipe field of its own differs: by field, by
            choice as Optuna stores it, and by unit.
        neighbours: Pairs of units between which a tensor flows. If their choices differ, the tensor is converted.
        of_size: Whether the gains are of the size.
        multiplied: Kinds whose gains multiply with those of all others, since they act on the same layers.
        probes: The cost of the knowledge.
    """

    distortion: ByChoice
    gains: ByChoice
    whole: float
    interactions: Mapping[tuple[Option, Option], float] = field(default_factory=dict)
    recipes: Mapping[str, Mapping[Any, float]] = field(default_factory=dict)
    own: Mapping[str, Mapping[Any, Mapping[str, float]]] = field(default_factory=dict)
    neighbours: tuple[Pair, ...] = ()
    of_size: bool = False
    multiplied: tuple[str, ...] = ()
    probes: Probes = Probes()

    @property
    def usual(self) -> dict[str, float]:
        """Distortion of each unit alone with its usual choice, the first one after the reference."""
        return {unit: next(iter(choices.values())) for unit, choices in self.distortion.items()}

    @property
    def ranking(self) -> list[str]:
        """Units by the distortion of their usual choice, most sensitive first."""
        usual = self.usual
        return sorted(usual, key=lambda unit: -usual[unit])

    def factor(self, name: str, choice: Any, unit: str) -> float:  # any choice of Optuna's
        """Factor on the distortion of a unit by a recipe field of its own; 1 if it is unknown."""
        usual, found = self.usual.get(unit, 0.0), self.own.get(name, {}).get(choice, {}).get(unit)
        if found is None or found == usual or not math.isfinite(usual):
            return 1.0
        return found / usual if usual > 0 else math.inf

    def to_dict(self) -> dict[str, Any]:
        """The knowledge as JSON values."""
        return {
            **asdict(self),
            "distortion": {unit: dict(choices) for unit, choices in self.distortion.items()},
            "gains": {unit: dict(choices) for unit, choices in self.gains.items()},
            "interactions": [[*one, *other, value] for (one, other), value in self.interactions.items()],
            "recipes": {name: [list(item) for item in choices.items()] for name, choices in self.recipes.items()},
            "own": {
                name: [[made, dict(units)] for made, units in choices.items()] for name, choices in self.own.items()
            },
            "neighbours": [list(p) for p in self.neighbours],
            "multiplied": list(self.multiplied),
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
            distortion=_by_choice,
            gains=_by_choice,
            interactions=_interactions,
            recipes=lambda recipes: {n: {made: float(v) for made, v in items} for n, items in recipes.items()},
            own=lambda own: {n: {made: dict(units) for made, units in items} for n, items in own.items()},
            probes=lambda probes: typed(Probes, probes, "probes"),
        )


def _by_choice(values: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    found = {unit: {choice: float(value) for choice, value in choices.items()} for unit, choices in values.items()}
    if not all(found.values()):
        msg = "a unit has no choice."
        raise ValueError(msg)
    return found


def _interactions(rows: Sequence[Sequence[Any]]) -> dict[tuple[Option, Option], float]:
    return {
        ((str(unit), str(choice)), (str(other), str(its_choice))): float(value)
        for unit, choice, other, its_choice, value in rows
    }
