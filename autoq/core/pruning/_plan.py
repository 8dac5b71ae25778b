"""The part of a plan that removes channels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Self

from autoq.core.pruning._words import PruningMethod, Repair
from autoq.core.values import brief_repr, is_number, known_keys, mapping_of, whole_number
from autoq.core.words import PlanError, quoted


@dataclass(frozen=True, slots=True)
class PruningPlan:
    """The part of a plan that removes channels, before anything else is changed.

    Attributes:
        kept: Share of its channels that a group keeps, by name of the group, below 1. With 0 it goes as a whole, if it
            can. Other groups keep all, and so do those that are named with 1.
        multiple_of: Widths become the multiple of this that is nearest to the share.
        method: How the channels that go are chosen.
        repair: What layers do about channels that are gone.
    """

    kind: ClassVar[str] = "pruning"

    kept: Mapping[str, float] = field(default_factory=dict)
    multiple_of: int = 8
    method: PruningMethod = PruningMethod.INTERPOLATIVE
    repair: Repair = Repair.ONE_SHOT

    __repr__ = brief_repr

    def __post_init__(self) -> None:
        kept = {name: share for name, share in sorted(self.kept.items()) if _share(name, share) < 1}
        object.__setattr__(self, "kept", MappingProxyType({name: float(share) for name, share in kept.items()}))
        whole_number(self.multiple_of, "multiple_of", least=1, error=PlanError)
        object.__setattr__(self, "method", PruningMethod.parse(self.method))
        object.__setattr__(self, "repair", Repair.parse(self.repair))

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), sort_keys=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self.kept), self.multiple_of, self.method, self.repair)

    def share(self, group: str) -> float:
        """Share of its channels that a group keeps."""
        return self.kept.get(group, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """The part as plain values."""
        return {"kept": dict(self.kept), **self._whole}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote; absent keys have the defaults.

        Raises:
            PlanError: A key or a word is unknown, or a value is not possible.
        """
        given = known_keys(values, ["kept", "multiple_of", "method", "repair"], "pruning plan")
        return cls(**{**given, "kept": mapping_of(given.get("kept", {}), "the kept shares of a pruning plan")})

    @property
    def _whole(self) -> dict[str, Any]:
        return {"multiple_of": self.multiple_of, "method": str(self.method), "repair": str(self.repair)}

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the whole model as plain values by name, each named after channels."""
        return {f"channel_{name}": value for name, value in self._whole.items()}

    @property
    def summary(self) -> str:
        """How many groups keep which share, in a line; empty where all keep all."""
        return f"channels kept: {self._counts}" if self.kept else ""

    @property
    def facts(self) -> Mapping[str, str]:
        """How many groups keep which share."""
        return {"groups by the share of channels kept": self._counts or "all keep all"}

    @property
    def _counts(self) -> str:
        counts = Counter(self.kept.values())
        return ", ".join(f"{share:.4g} of {counts[share]}" for share in sorted(counts, reverse=True))

    @property
    def computes_in(self) -> Hashable:
        """The widths: models of different widths have different latencies."""
        return self.multiple_of, frozenset(self.kept.items())


def _share(name: str, value: object) -> float:
    if not is_number(value) or not 0 <= float(value) <= 1:  # type: ignore[arg-type]
        msg = f"group {quoted(name)} keeps {quoted(value)} of its channels: it must be a share from 0 to 1."
        raise PlanError(msg)
    return float(value)  # type: ignore[arg-type]
