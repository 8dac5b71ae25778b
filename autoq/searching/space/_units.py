"""Units of a model, each with an ordered list of choices."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from autoq.core import Plan, Precision, WeightFormat

PRECISION = "precision"
WEIGHT = "weight"
WIDTH = "width"
FLOAT = str(Precision.FLOAT)
ALL = "1"
# The share of a group of channels that goes as a whole.
GONE = "0"


@dataclass(frozen=True, slots=True)
class Unit:
    """A part of a model for which one choice is made.

    Attributes:
        name: Name of the unit, unique within its kind.
        choices: Two or more words, in order. The first is the reference: it leaves the unit as the float model has it.
        members: Names of the groups of quantizers or of channels, or of the weights, that take the choice.
        kind: Kind of the choices, a key of `UNIT_KINDS`.
    """

    name: str
    choices: tuple[str, ...]
    members: tuple[str, ...] = ()
    kind: str = PRECISION

    def __post_init__(self) -> None:
        if len(set(self.choices)) != len(self.choices) or len(self.choices) < 2:
            msg = f"unit {self.name!r} has the choices {self.choices}: it needs two or more different ones."
            raise ValueError(msg)

    @property
    def parameter(self) -> str:
        """Name of its parameter in an Optuna study: "precision/conv1"."""
        return f"{self.kind}/{self.name}"

    @property
    def reference(self) -> str:
        """The choice that leaves the unit as the float model has it."""
        return self.choices[0]

    @property
    def usual(self) -> str:
        """The choice in a plan that treats all units alike."""
        return self.choices[UNIT_KINDS[self.kind].usual]

    @property
    def words(self) -> list[str]:
        """The choices in the order in which Optuna stores them, the reference last."""
        return [*self.choices[1:], self.reference]


# Choice by unit.
UnitChoices = Sequence[tuple[Unit, str]]


@dataclass(frozen=True, slots=True)
class UnitKind:
    """How the choices of one kind of unit stand in a plan.

    Attributes:
        put: Puts choices into a plan.
        read: Reads the choice of a unit from a plan.
        usual: Place of the choice in a plan that treats all units alike; 0 leaves them as the float model has them.
    """

    put: Callable[[Plan, UnitChoices], Plan]
    read: Callable[[Plan, Unit], str]
    usual: int = 1


def _with_precisions(plan: Plan, chosen: UnitChoices) -> Plan:
    given = {group: Precision.parse(word) for unit, word in chosen for group in unit.members}
    part = plan.quantization
    return plan.having(replace(part, precisions={**part.precisions, **given}))


def _precision(plan: Plan, unit: Unit) -> str:
    return str(plan.quantization.precision(unit.members[0]))


def _with_formats(plan: Plan, chosen: UnitChoices) -> Plan:
    given = {weight: WeightFormat.parse(word) for unit, word in chosen if word != FLOAT for weight in unit.members}
    part = plan.compression
    return plan.having(replace(part, formats={**part.formats, **given}))


def _format(plan: Plan, unit: Unit) -> str:
    return str(plan.compression.formats.get(unit.members[0], FLOAT))


def _with_widths(plan: Plan, chosen: UnitChoices) -> Plan:
    given = {group: float(word) for unit, word in chosen for group in unit.members}
    part = plan.pruning
    return plan.having(replace(part, kept={**part.kept, **given}))


def _width(plan: Plan, unit: Unit) -> str:
    return share_word(plan.pruning.share(unit.members[0]))


# A further kind is one more entry: the sampler, the front and the loop know no kind.
UNIT_KINDS: dict[str, UnitKind] = {
    PRECISION: UnitKind(_with_precisions, _precision),
    WEIGHT: UnitKind(_with_formats, _format),
    # Without training, few models bear that all of their widths are cut.
    WIDTH: UnitKind(_with_widths, _width, usual=0),
}


def precision_units(groups: Mapping[str, Sequence[str]], choices: Sequence[Precision]) -> Iterator[Unit]:
    """One unit for each set of groups that share a precision.

    Args:
        groups: Groups by the name of the unit.
        choices: Precisions that each unit may take beside float.
    """
    words = (str(Precision.FLOAT), *map(str, choices))
    return (Unit(name, words, tuple(members)) for name, members in groups.items())


def weight_units(choices: Mapping[str, Sequence[WeightFormat]]) -> Iterator[Unit]:
    """One unit for each weight.

    Args:
        choices: Formats that each weight may take beside float, by its name.
    """
    return (Unit(name, (FLOAT, *map(str, formats)), (name,), WEIGHT) for name, formats in choices.items() if formats)


def width_units(choices: Mapping[str, Sequence[float]]) -> Iterator[Unit]:
    """One unit for each group of channels.

    Args:
        choices: Shares of its channels that each group may keep beside all, by its name.
    """
    return (Unit(name, (ALL, *map(share_word, shares)), (name,), WIDTH) for name, shares in choices.items() if shares)


def share_word(share: float) -> str:
    """A share as a choice is spelled: "0.75"."""
    return f"{share:g}"
