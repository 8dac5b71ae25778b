"""A kind of part that no plan has."""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Widths:
    """A toy: shares of channels that are kept."""

    kind: ClassVar[str] = "widths"
    kept: tuple[tuple[str, float], ...] = ()

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Widths":
        return cls(tuple(sorted(values["kept"].items())))

    def to_dict(self) -> dict[str, Any]:
        return {"kept": dict(self.kept)}

    settings: ClassVar[dict[str, Any]] = {"criterion": "norm"}
    facts: ClassVar[dict[str, str]] = {"narrowed": "some"}
    summary: ClassVar[str] = "narrowed"

    @property
    def computes_in(self) -> object:
        return self.kept
