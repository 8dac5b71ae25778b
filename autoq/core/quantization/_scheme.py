"""Prescribed schemes: a user's settings for quantizers, beside those of preset and device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from autoq.core.values import known_keys
from autoq.core.vocabulary import Precision
from autoq.core.words import PlanError, quoted

_FEWEST_BITS = 2
_MOST_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizerScheme:
    """Scheme of the activations' or the weights' quantizers; None leaves a property to preset and device table.

    Attributes:
        bits: Width of the integers.
        symmetric: Whether zero is the middle of the range.
        signed: Whether levels lie on both sides of zero, for any data; symmetric quantizers only.
        per_channel: Whether limits differ between channels.
        narrow_range: Whether the lowest level is left out; symmetric quantizers only.
    """

    bits: int | None = None
    symmetric: bool | None = None
    signed: bool | None = None
    per_channel: bool | None = None
    narrow_range: bool | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value, kind = getattr(self, field.name), int if field.name == "bits" else bool
            if value is not None and type(value) is not kind:
                write = "a number" if kind is int else "true or false"
                msg = f"quantizer scheme: {field.name} is {quoted(value)}: write {write}."
                raise PlanError(msg)
        if self.bits is not None and not _FEWEST_BITS <= self.bits <= _MOST_BITS:
            msg = f"quantizer scheme: bits is {quoted(self.bits)}: it must be from {_FEWEST_BITS} to {_MOST_BITS}."
            raise PlanError(msg)
        for key in ("signed", "narrow_range"):
            if self.symmetric is False and getattr(self, key) is not None:
                msg = f"quantizer scheme: {key} goes with symmetric quantizers; these are asymmetric."
                raise PlanError(msg)

    def width(self, precision: Precision) -> int:
        """Width of the numbers; that of the precision if none is prescribed."""
        return precision.bits if self.bits is None else self.bits

    def to_plain(self) -> dict[str, int | bool]:
        """The prescribed values, as `from_dict` reads them."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads a scheme from plain values.

        Raises:
            PlanError: A key is unknown, or a value is of the wrong type.
        """
        return cls(**known_keys(values, [f.name for f in fields(cls)], "quantizer scheme"))
