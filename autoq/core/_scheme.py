"""What a user prescribes for the quantizers of one kind, beyond what preset and device say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from autoq.core._errors import PlanError, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizerScheme:
    """Scheme of the activations' or the weights' quantizers; None leaves a property to preset and device table.

    Attributes:
        bits: Width of the integers.
        symmetric: Whether zero is the middle of the range.
        signed: Whether levels lie on both sides of zero whatever the data say; symmetric quantizers only.
        per_channel: Whether each channel has limits of its own.
        narrow_range: Whether the lowest level is left out; symmetric quantizers only.
    """

    bits: int | None = None
    symmetric: bool | None = None
    signed: bool | None = None
    per_channel: bool | None = None
    narrow_range: bool | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads a scheme from plain values.

        Raises:
            PlanError: A key is unknown, or a value is of the wrong type.
        """
        kinds = {f.name: int if f.name == "bits" else bool for f in fields(cls)}
        for key, value in values.items():
            if key not in kinds:
                msg = f"quantizer scheme key {key!r} is unknown: {nearest(key, kinds)}"
                raise PlanError(msg)
            if value is not None and type(value) is not kinds[key]:
                msg = f"quantizer scheme: {key} is {value!r}: write {'a number' if key == 'bits' else 'true or false'}."
                raise PlanError(msg)
        return cls(**values)
