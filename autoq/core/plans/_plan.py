"""The plan of a candidate: immutable parts by kind, written to and read from JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Protocol, Self, cast

from autoq.core.files import Format, read_record, write_record
from autoq.core.plans._runtime import RuntimeChoice, RuntimePlan
from autoq.core.pruning import PruningPlan
from autoq.core.quantization import QuantizationPlan, Recipe
from autoq.core.values import brief_repr, known_keys, mapping_of
from autoq.core.vocabulary import Precision, RuntimePrecision
from autoq.core.weights import CompressionPlan
from autoq.core.words import OtherVersionError, PlanError, nearest, quoted

# The version grows when plans of an earlier autoq can no longer be read with their meaning.
_FORMAT = Format("a plan", version=2)
_USUAL, _NONE = Recipe(), MappingProxyType[str, Any]({})


class PlanPart(Protocol):
    """One kind of change that a plan makes to a model. Parts are immutable and hashable.

    Attributes:
        kind: Name of the kind in files; one of `PART_KINDS`.
    """

    kind: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """The part as plain values, for the reader of its kind."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the whole model as plain values by name, for tables and reports."""
        ...

    @property
    def summary(self) -> str:
        """Settings of the whole model in a line, without usual values; it may be empty."""
        ...

    @property
    def facts(self) -> Mapping[str, str]:
        """Texts about single units, by their topic, for reports."""
        ...

    @property
    def computes_in(self) -> Hashable:
        """The precisions that this part sets: equal for models that differ only in numbers, and not in latency."""
        ...


# Kinds of parts in the order of rewriting, with their readers. A further kind is one more line.
PART_KINDS: Mapping[str, Callable[[Mapping[str, Any]], PlanPart]] = MappingProxyType(
    {
        PruningPlan.kind: PruningPlan.from_dict,
        CompressionPlan.kind: CompressionPlan.from_dict,
        QuantizationPlan.kind: QuantizationPlan.from_dict,
        RuntimePlan.kind: RuntimePlan.from_dict,
    }
)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is needed to build one candidate, beside statistics: parts, at most one of each kind.

    Attributes:
        parts: Parts in the order of `PART_KINDS`; they may be given in any order.
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
        """The plan of a plan or of a single part."""
        return plan if isinstance(plan, Plan) else cls((plan,))

    @classmethod
    def quantized(
        cls,
        recipe: Recipe = _USUAL,
        precisions: Mapping[str, Precision] = _NONE,
        choices: Mapping[str, Mapping[str, Any]] = _NONE,
    ) -> Self:
        """A plan that only quantizes; the arguments are those of `QuantizationPlan`."""
        return cls((QuantizationPlan(recipe, precisions, choices),))

    def having(self, part: PlanPart) -> Self:
        """The plan with this part instead of its own part of the same kind."""
        return type(self)((*self.without(part.kind).parts, part))

    @property
    def quantization(self) -> QuantizationPlan:
        """The part that quantizes.

        Raises:
            PlanError: The plan has no such part.
        """
        return cast("QuantizationPlan", self._part(QuantizationPlan.kind))

    @property
    def compression(self) -> CompressionPlan:
        """The part that compresses weights.

        Raises:
            PlanError: The plan has no such part.
        """
        return cast("CompressionPlan", self._part(CompressionPlan.kind))

    @property
    def pruning(self) -> PruningPlan:
        """The part that removes channels.

        Raises:
            PlanError: The plan has no such part.
        """
        return cast("PruningPlan", self._part(PruningPlan.kind))

    def without(self, kind: str) -> Self:
        """The plan without its part of this kind, if it has one."""
        return type(self)(tuple(own for own in self.parts if own.kind != kind))

    def _part(self, kind: str) -> PlanPart:
        for part in self.parts:
            if part.kind == kind:
                return part
        msg = f"plan has no part of kind {kind!r}; it has {self.kinds}."
        raise PlanError(msg)

    def check_only(self, kind: str) -> None:
        """Checks that nothing but a part of this kind, and choices for the device, have to be built.

        Raises:
            PlanError: It has another part.
        """
        if others := [own for own in self.kinds if own not in {kind, RuntimePlan.kind}]:
            msg = f"plan has a part of kind {others[0]!r}, which nothing builds: only {kind!r} is built."
            raise PlanError(msg)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the parts."""
        return tuple(part.kind for part in self.parts)

    @property
    def quantizes(self) -> bool:
        """Whether it has a part that quantizes."""
        return QuantizationPlan.kind in self.kinds

    @property
    def runtime_precision(self) -> RuntimePrecision:
        """The precision of float layers."""
        return self.quantization.recipe.runtime_precision if self.quantizes else RuntimePrecision.DEFAULT

    @property
    def runtime_choice(self) -> RuntimeChoice:
        """What it chooses of the settings under which its model is compiled, the precision of float layers included."""
        part = self._part(RuntimePlan.kind) if RuntimePlan.kind in self.kinds else RuntimePlan()
        return RuntimeChoice(self.runtime_precision, cast("RuntimePlan", part))

    @property
    def compresses(self) -> bool:
        """Whether it stores a weight in few bits."""
        return CompressionPlan.kind in self.kinds and bool(self.compression.formats)

    @property
    def prunes(self) -> bool:
        """Whether it removes a channel, as far as it says."""
        return PruningPlan.kind in self.kinds and bool(self.pruning.kept)

    @property
    def float_groups(self) -> frozenset[str]:
        """Names of groups that stay in float, although they could be quantized."""
        return self.quantization.float_groups if self.quantizes else frozenset()

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the whole model as plain values by name, of all parts."""
        return {name: value for part in self.parts for name, value in part.settings.items()}

    @property
    def summary(self) -> str:
        """Settings of the whole model in a line."""
        return ", ".join(text for part in self.parts if (text := part.summary))

    @property
    def facts(self) -> dict[str, str]:
        """Texts about single units, of all parts."""
        return {name: text for part in self.parts for name, text in part.facts.items()}

    @property
    def computes_in(self) -> Hashable:
        """The precisions of a model: equal for models that differ only in numbers, and not in latency."""
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
            StoredFileError: The file cannot be read, is damaged, or holds no plan of this version.
        """
        return read_record(Path(path), _FORMAT, cls.from_dict)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote.

        Raises:
            OtherVersionError: The plan is of another version, or has a part of a kind that this autoq does not know.
            PlanError: A key or a word is unknown.
        """
        version = mapping_of(values, "a plan").get("version")
        if version != _FORMAT.version:
            found = "says no version" if version is None else f"is of version {quoted(version)}"
            msg = f"plan {found}, but this autoq reads version {_FORMAT.version}: make the plan again, or update autoq."
            raise OtherVersionError(msg)
        parts = known_keys(values, ["version", "parts"], "Plan").get("parts", [])
        if not isinstance(parts, list):
            msg = f"Plan key 'parts' is {quoted(parts)}: it must be a list of parts."
            raise PlanError(msg)
        return cls(tuple(_read(mapping_of(part, "a part of a plan")) for part in parts))


def _read(values: Mapping[str, Any]) -> PlanPart:
    """Reads a part by the reader of its kind."""
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in PART_KINDS:
        raise OtherVersionError(_unknown(kind))
    return PART_KINDS[kind]({key: value for key, value in values.items() if key != "kind"})


def _unknown(kind: object) -> str:
    return f"plan has a part of kind {quoted(kind)}, which this autoq does not know: {nearest(kind, PART_KINDS)}"
