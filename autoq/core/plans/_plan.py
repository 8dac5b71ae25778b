"""What a candidate is: an immutable plan of parts by kind, written to and read from JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self, cast

from autoq.core.files import Format, read_record, write_record
from autoq.core.quantization import QuantizationPlan, Recipe
from autoq.core.values import brief_repr, known_keys, mapping_of
from autoq.core.vocabulary import Precision, RuntimePrecision
from autoq.core.words import OtherVersionError, PlanError, nearest, quoted

# Its version is raised whenever what an earlier autoq wrote is no longer read as it was meant.
_FORMAT = Format("a plan", version=2)
_USUAL, _NONE = Recipe(), MappingProxyType[str, Any]({})


class PlanPart(Protocol):
    """One kind of change that a plan makes to a model: immutable, hashable, equal to parts that say the same.

    Attributes:
        kind: Names it in files; one of `PART_KINDS`.
    """

    kind: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """The part as plain values, which the reader of its kind reads."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What holds for the whole model as plain values by name, for tables and reports."""
        ...

    @property
    def summary(self) -> str:
        """What holds for the whole model, in a line; what is as always is left out."""
        ...

    @property
    def facts(self) -> Mapping[str, str]:
        """What there is to say of single units, by what it is, for reports."""
        ...

    @property
    def computes_in(self) -> Hashable:
        """What a model computes in by this part: equal where the numbers alone differ, and latency does not."""
        ...


# Kinds of parts, in the order in which a model is rewritten, and who reads each. A further kind is one more line.
PART_KINDS: Mapping[str, Callable[[Mapping[str, Any]], PlanPart]] = MappingProxyType(
    {QuantizationPlan.kind: QuantizationPlan.from_dict}
)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is needed, besides statistics, to build one candidate: parts, one at most of a kind.

    Attributes:
        parts: In the order of `PART_KINDS`, whatever order they are given in.
    """

    parts: tuple[PlanPart, ...] = ()

    __repr__ = brief_repr

    def __post_init__(self) -> None:
        kinds = [part.kind for part in self.parts]
        for kind in kinds:
            if kind not in PART_KINDS:
                raise OtherVersionError(_unknown(kind))
            if kinds.count(kind) > 1:
                msg = f"plan has {kinds.count(kind)} parts of kind {kind!r}: it can have one of each."
                raise PlanError(msg)
        order = list(PART_KINDS)
        object.__setattr__(self, "parts", tuple(sorted(self.parts, key=lambda part: order.index(part.kind))))

    @classmethod
    def of(cls, plan: Plan | PlanPart) -> Plan:
        """A plan as it is; a part as a plan of it alone."""
        return plan if isinstance(plan, Plan) else cls((plan,))

    @classmethod
    def quantized(
        cls,
        recipe: Recipe = _USUAL,
        precisions: Mapping[str, Precision] = _NONE,
        choices: Mapping[str, Mapping[str, Any]] = _NONE,
    ) -> Self:
        """A plan that quantizes and does nothing else; the arguments are those of `QuantizationPlan`."""
        return cls((QuantizationPlan(recipe, precisions, choices),))

    def having(self, part: PlanPart) -> Self:
        """The plan with this part in the place of its own of that kind."""
        return type(self)((*(own for own in self.parts if own.kind != part.kind), part))

    @property
    def quantization(self) -> QuantizationPlan:
        """How it quantizes.

        Raises:
            PlanError: It does not.
        """
        for part in self.parts:
            if part.kind == QuantizationPlan.kind:
                return cast("QuantizationPlan", part)
        msg = f"plan has no part of kind {QuantizationPlan.kind!r}; it has {self.kinds}."
        raise PlanError(msg)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of its parts."""
        return tuple(part.kind for part in self.parts)

    @property
    def quantizes(self) -> bool:
        """Whether it has a part that quantizes."""
        return QuantizationPlan.kind in self.kinds

    @property
    def runtime_precision(self) -> RuntimePrecision:
        """What layers left in float are executed in."""
        return self.quantization.recipe.runtime_precision if self.quantizes else RuntimePrecision.DEFAULT

    @property
    def float_groups(self) -> frozenset[str]:
        """Names of the groups that it leaves in float though they could be quantized."""
        return self.quantization.float_groups if self.quantizes else frozenset()

    @property
    def settings(self) -> dict[str, Any]:
        """What holds for the whole model as plain values by name, of all parts."""
        return {name: value for part in self.parts for name, value in part.settings.items()}

    @property
    def summary(self) -> str:
        """What holds for the whole model, in a line."""
        return ", ".join(part.summary for part in self.parts)

    @property
    def facts(self) -> dict[str, str]:
        """What there is to say of single units, of all parts."""
        return {name: text for part in self.parts for name, text in part.facts.items()}

    @property
    def computes_in(self) -> Hashable:
        """What a model computes in: equal where the numbers alone differ, and latency does not."""
        return tuple((part.kind, part.computes_in) for part in self.parts)

    def __hash__(self) -> int:
        return hash(self.parts)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values: the version of their layout, and its parts, each with its kind."""
        return {"version": _FORMAT.version, "parts": [{"kind": part.kind, **part.to_dict()} for part in self.parts]}

    def to_json(self) -> str:
        """The plan as one line of JSON, equal for equal plans."""
        return json.dumps(self.to_dict(), sort_keys=True)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the plan as JSON, whole or not at all.

        Raises:
            OutputError: It cannot be written there.
        """
        return write_record(Path(path), _FORMAT, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Reads what `save` wrote.

        Raises:
            StoredFileError: It cannot be read, is damaged, or no plan of this version.
        """
        return read_record(Path(path), _FORMAT, cls.from_dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote.

        Raises:
            OtherVersionError: It is of another version, or has a part of a kind that this autoq does not know.
            PlanError: A key or a word is unknown.
        """
        version = mapping_of(values, "a plan").get("version")
        if version != _FORMAT.version:
            found = "says no version" if version is None else f"is of version {quoted(version)}"
            msg = f"plan {found}, where this autoq reads version {_FORMAT.version}: make it anew, or update autoq."
            raise OtherVersionError(msg)
        parts = known_keys(values, ["version", "parts"], "Plan").get("parts", [])
        if not isinstance(parts, list):
            msg = f"Plan key 'parts' is {quoted(parts)}: it must be a list of parts."
            raise PlanError(msg)
        return cls(tuple(_read(mapping_of(part, "a part of a plan")) for part in parts))


def _read(values: Mapping[str, Any]) -> PlanPart:
    """A part, by the reader of its kind."""
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in PART_KINDS:
        raise OtherVersionError(_unknown(kind))
    return PART_KINDS[kind]({key: value for key, value in values.items() if key != "kind"})


def _unknown(kind: object) -> str:
    return f"plan has a part of kind {quoted(kind)}, which this autoq does not know: {nearest(kind, PART_KINDS)}"
