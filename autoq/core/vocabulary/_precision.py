"""Precisions as data: one more value in this table is one more precision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import ClassVar, Self

from autoq.core.words import PlanError, nearest, quoted


class NumberKind(StrEnum):
    """The kind of a precision's numbers."""

    FLOAT = "float"  # those of the model
    INT = "int"  # evenly spaced
    FP8 = "fp8"  # an 8-bit floating point format


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """The precision of the quantizers of a group.

    Attributes:
        name: Name that users write.
        kind: Kind of its numbers.
        bits: Bits of a stored number.
        mantissa_bits: Number of bits of the explicit mantissa; 0 for integers.
        lowest: Its lowest finite number, before scaling.
        highest: Its highest finite number; larger values become this number.
        storage: OpenVINO type of stored weights.
        weights_only: Whether only weights are stored in it, and layers compute in float: the model is small, but not
            fast.
    """

    name: str
    kind: NumberKind
    bits: int
    mantissa_bits: int = 0
    lowest: float
    highest: float
    storage: str
    weights_only: bool = False

    FLOAT: ClassVar[Precision]
    INT8: ClassVar[Precision]
    INT8_WEIGHTS: ClassVar[Precision]
    FP8_E4M3: ClassVar[Precision]
    FP8_E5M2: ClassVar[Precision]

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Precision({self.name!r})"

    @property
    def is_float(self) -> bool:
        """Whether groups stay in float."""
        return self.kind is NumberKind.FLOAT

    @property
    def is_integer(self) -> bool:
        """Whether numbers are evenly spaced: only then there are zero points, prescribed schemes, and a half range."""
        return self.kind is NumberKind.INT

    @property
    def is_mode(self) -> bool:
        """Whether a whole model can be quantized to it, with its activations."""
        return not self.is_float and not self.weights_only

    @property
    def levels(self) -> int:
        """Largest number of values that it distinguishes."""
        return int(2**self.bits)

    @classmethod
    def parse(cls, value: object) -> Self:
        """Reads a precision as a user writes it, in any case.

        Raises:
            PlanError: There is no such precision.
        """
        if isinstance(value, cls):
            return value
        # A member of another library's enumeration counts as the text that it prints.
        word = str(value).lower() if isinstance(value, str | Enum) else value
        if not isinstance(word, str) or not isinstance(found := PRECISIONS.get(word), cls):
            msg = f"precision {quoted(value)} is unknown: {nearest(word, PRECISIONS)}"
            raise PlanError(msg)
        return found


_LARGEST_SINGLE = 3.4028234663852886e38

Precision.FLOAT = Precision(
    name="float",
    kind=NumberKind.FLOAT,
    bits=32,
    mantissa_bits=23,
    lowest=-_LARGEST_SINGLE,
    highest=_LARGEST_SINGLE,
    storage="f32",
)
Precision.INT8 = Precision(name="int8", kind=NumberKind.INT, bits=8, lowest=-128, highest=127, storage="i8")
Precision.INT8_WEIGHTS = replace(Precision.INT8, name="int8_weights", weights_only=True)
# Micikevicius et al., "FP8 formats for deep learning", 2022, table 1; E4M3 has no infinities.
Precision.FP8_E4M3 = Precision(
    name="fp8_e4m3", kind=NumberKind.FP8, bits=8, mantissa_bits=3, lowest=-448, highest=448, storage="f8e4m3"
)
Precision.FP8_E5M2 = Precision(
    name="fp8_e5m2", kind=NumberKind.FP8, bits=8, mantissa_bits=2, lowest=-57344, highest=57344, storage="f8e5m2"
)

# All precisions by name.
PRECISIONS: Mapping[str, Precision] = MappingProxyType(
    {
        precision.name: precision
        for precision in (
            Precision.FLOAT,
            Precision.INT8,
            Precision.INT8_WEIGHTS,
            Precision.FP8_E4M3,
            Precision.FP8_E5M2,
        )
    }
)
