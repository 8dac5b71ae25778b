"""The modes that weights are compressed in: one table of facts, with NNCF's spelling and defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Any

from autoq.core.vocabulary import Word

PER_CHANNEL = -1
CB4 = (
    *(-3.5, -2.5, -1.875, -1.375, -1.0, -0.625, -0.3125, 0.0),
    *(0.28125, 0.5625, 0.875, 1.125, 1.5, 2.0, 2.5, 3.5),
)


class WeightMode(Word):
    """The kind of numbers that a weight is stored in."""

    INT8_ASYM = "int8_asym"
    INT8_SYM = "int8_sym"
    INT4_ASYM = "int4_asym"
    INT4_SYM = "int4_sym"
    INT3_SYM = "int3_sym"
    INT2_SYM = "int2_sym"
    NF4 = "nf4"
    FP4 = "fp4"
    MXFP4 = "mxfp4"
    MXFP8_E4M3 = "mxfp8_e4m3"
    FP8_E4M3 = "fp8_e4m3"
    NVFP4 = "nvfp4"
    CB4 = "cb4"
    CODEBOOK = "codebook"
    ADAPTIVE_CODEBOOK = "adaptive_codebook"


class CodebookType(Word):
    """OpenVINO's type of the entries of a codebook."""

    F8E4M3 = "f8e4m3"
    F16 = "f16"
    F32 = "f32"
    I8 = "i8"


class NumberFamily(Enum):
    """How a stored number stands for a real one, before its scale."""

    INTEGER = auto()  # itself, less its zero point
    FLOAT = auto()  # by the bits of a floating point type
    CODEBOOK = auto()  # by its place in a list


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeFacts:
    """The facts about one mode.

    Attributes:
        bits: Bits of a stored number; 0 if the codebook decides.
        storage: OpenVINO's type of stored numbers; empty if the codebook decides.
        family: Family of the numbers.
        symmetric: Whether an integer has no zero point of its own.
        largest: Largest number before scaling, of floating point numbers.
        scale: OpenVINO's type of stored scales.
        group_size: Default group size.
        fixed: Whether no other group size is possible.
        backup: Default mode of the weights that the mode is not for.
        codebook: Default entries, of modes with a codebook.
        codebook_type: Default type of the entries, of modes with a codebook.
        has_own_entries: Whether a user may give entries.
    """

    bits: int = 0
    storage: str = ""
    family: NumberFamily = NumberFamily.INTEGER
    symmetric: bool = True
    largest: float = 0.0
    scale: str = "f16"
    group_size: int = 128
    fixed: bool = False
    backup: WeightMode = WeightMode.INT8_ASYM
    codebook: tuple[float, ...] = ()
    codebook_type: CodebookType | None = None
    has_own_entries: bool = False


def _codebook(kind: CodebookType, **facts: Any) -> ModeFacts:
    return ModeFacts(family=NumberFamily.CODEBOOK, group_size=PER_CHANNEL, codebook_type=kind, **facts)


def _float(bits: int, storage: str, largest: float, **facts: Any) -> ModeFacts:
    return ModeFacts(bits=bits, storage=storage, family=NumberFamily.FLOAT, largest=largest, **facts)


_MX: dict[str, Any] = {"scale": "f8e8m0", "group_size": 32, "fixed": True, "backup": WeightMode.MXFP8_E4M3}

# A further mode is one more line, and its arithmetic in `transform/compress`.
FACTS: Mapping[WeightMode, ModeFacts] = MappingProxyType(
    {
        WeightMode.INT8_ASYM: ModeFacts(bits=8, storage="u8", symmetric=False, group_size=PER_CHANNEL),
        WeightMode.INT8_SYM: ModeFacts(bits=8, storage="i8", group_size=PER_CHANNEL),
        WeightMode.INT4_ASYM: ModeFacts(bits=4, storage="u4", symmetric=False),
        WeightMode.INT4_SYM: ModeFacts(bits=4, storage="i4"),
        WeightMode.INT3_SYM: ModeFacts(bits=3, storage="u3"),
        WeightMode.INT2_SYM: ModeFacts(bits=2, storage="u2"),
        WeightMode.NF4: _float(4, "nf4", 1.0),
        WeightMode.FP4: _float(4, "f4e2m1", 6.0, backup=WeightMode.FP8_E4M3),
        WeightMode.MXFP4: _float(4, "f4e2m1", 6.0, **_MX),
        WeightMode.MXFP8_E4M3: _float(8, "f8e4m3", 448.0, **_MX),
        WeightMode.FP8_E4M3: _float(8, "f8e4m3", 448.0, backup=WeightMode.FP8_E4M3),
        WeightMode.NVFP4: _float(4, "f4e2m1", 6.0, scale="f8e4m3", group_size=16, fixed=True),
        WeightMode.CB4: _codebook(CodebookType.F8E4M3, codebook=CB4),
        WeightMode.CODEBOOK: _codebook(CodebookType.F32, has_own_entries=True),
        WeightMode.ADAPTIVE_CODEBOOK: _codebook(CodebookType.F8E4M3, codebook=CB4, has_own_entries=True),
    }
)
