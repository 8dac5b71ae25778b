"""The formats that a compressed weight may have: one table of modes, with NNCF's spelling and defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Self

from autoq.core.values import known_keys, mapping_of
from autoq.core.vocabulary import Word
from autoq.core.words import PlanError, quoted

PER_CHANNEL = -1
CB4 = (
    *(-3.5, -2.5, -1.875, -1.375, -1.0, -0.625, -0.3125, 0.0),
    *(0.28125, 0.5625, 0.875, 1.125, 1.5, 2.0, 2.5, 3.5),
)
# A mode, and the group size where it is written.
_WORD = re.compile(r"(\S+)(?:\s+g(-1|[0-9]{1,9}))?")
# Largest number of entries by bits of an index.
_ENTRIES = ((16, 4, "u4"), (256, 8, "u8"), (65536, 16, "u16"))


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


class NumberFamily(Enum):
    """How a stored number stands for a real one, before its scale."""

    INTEGER = auto()  # itself, less its zero point
    FLOAT = auto()  # by the bits of a floating point type
    CODEBOOK = auto()  # by its place in a list


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
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


def _float(bits: int, storage: str, largest: float, **facts: Any) -> _Row:
    return _Row(bits=bits, storage=storage, family=NumberFamily.FLOAT, largest=largest, **facts)


_MX: dict[str, Any] = {"scale": "f8e8m0", "group_size": 32, "fixed": True, "backup": WeightMode.MXFP8_E4M3}
_CODEBOOK = _Row(family=NumberFamily.CODEBOOK, group_size=PER_CHANNEL)

# A further mode is one more line, and its arithmetic in `transform/compress`.
_ROWS: Mapping[WeightMode, _Row] = MappingProxyType(
    {
        WeightMode.INT8_ASYM: _Row(bits=8, storage="u8", symmetric=False, group_size=PER_CHANNEL),
        WeightMode.INT8_SYM: _Row(bits=8, storage="i8", group_size=PER_CHANNEL),
        WeightMode.INT4_ASYM: _Row(bits=4, storage="u4", symmetric=False),
        WeightMode.INT4_SYM: _Row(bits=4, storage="i4"),
        WeightMode.INT3_SYM: _Row(bits=3, storage="u3"),
        WeightMode.INT2_SYM: _Row(bits=2, storage="u2"),
        WeightMode.NF4: _float(4, "nf4", 1.0),
        WeightMode.FP4: _float(4, "f4e2m1", 6.0, backup=WeightMode.FP8_E4M3),
        WeightMode.MXFP4: _float(4, "f4e2m1", 6.0, **_MX),
        WeightMode.MXFP8_E4M3: _float(8, "f8e4m3", 448.0, **_MX),
        WeightMode.FP8_E4M3: _float(8, "f8e4m3", 448.0, backup=WeightMode.FP8_E4M3),
        WeightMode.NVFP4: _float(4, "f4e2m1", 6.0, scale="f8e4m3", group_size=16, fixed=True),
        WeightMode.CB4: _CODEBOOK,
        WeightMode.CODEBOOK: _CODEBOOK,
    }
)


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """The format of one compressed weight.

    Attributes:
        mode: The kind of numbers.
        group_size: Numbers along the reduced axis that share a scale; -1 for one scale for each channel.
        codebook: Entries in ascending order, of modes with a codebook; that of "cb4" is known.
    """

    mode: WeightMode
    group_size: int = PER_CHANNEL
    codebook: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", WeightMode.parse(self.mode))
        size, row = self.group_size, _ROWS[self.mode]
        if isinstance(size, bool) or not isinstance(size, int) or (size < 1 and size != PER_CHANNEL):
            msg = f"group_size is {quoted(size)}: use a whole number above 0, or -1 for one scale for each channel."
            raise PlanError(msg)
        if row.fixed and size != row.group_size:
            msg = f"group_size is {size}: mode {str(self.mode)!r} has groups of {row.group_size} only."
            raise PlanError(msg)
        if self.is_eight_bit_integer and size != PER_CHANNEL:
            msg = f"group_size is {size}: mode {str(self.mode)!r} has one scale for each channel; leave it out."
            raise PlanError(msg)
        object.__setattr__(self, "codebook", self._checked_codebook())

    def _checked_codebook(self) -> tuple[float, ...]:
        if self.mode is WeightMode.CB4 and self.codebook in {(), CB4}:
            return CB4
        entries = tuple(map(float, self.codebook))
        if self.mode is not WeightMode.CODEBOOK:
            if entries:
                msg = f"codebook goes with mode 'codebook', and not with {str(self.mode)!r}."
                raise PlanError(msg)
            return ()
        ascending = all(low < high for low, high in pairwise(entries))
        most = _ENTRIES[-1][0]
        if not 2 <= len(entries) <= most or not ascending or not all(abs(entry) < float("inf") for entry in entries):
            msg = f"codebook is {quoted(list(entries))}: mode 'codebook' needs 2 to {most} finite numbers that ascend."
            raise PlanError(msg)
        return entries

    @classmethod
    def default(cls, mode: WeightMode, codebook: tuple[float, ...] = ()) -> Self:
        """The format of a mode with its default group size."""
        return cls(mode, _ROWS[mode].group_size, codebook)

    @classmethod
    def parse(cls, word: str) -> Self:
        """Reads a format as `str` writes it, or as a user does, in any case.

        Args:
            word: A mode, and "g" with the group size unless it is the default of the mode: "int8_asym", "int4_sym g64",
                "int4_sym g-1" for one scale for each channel.

        Raises:
            PlanError: The word is no format, or the mode does not take the group size.
        """
        found = _WORD.fullmatch(word.strip()) if isinstance(word, str) else None
        if found is None:
            msg = f"weight format {quoted(word)} is unknown: write a mode and its group size, such as 'int4_sym g64'."
            raise PlanError(msg)
        mode, size = WeightMode.parse(found[1]), found[2]
        if mode is WeightMode.CODEBOOK:
            msg = "weight format 'codebook' has entries of its own, which no word tells: use 'cb4'."
            raise PlanError(msg)
        return cls.default(mode) if size is None else cls(mode, int(size))

    @property
    def family(self) -> NumberFamily:
        """Family of the numbers."""
        return _ROWS[self.mode].family

    @property
    def bits(self) -> int:
        """Bits of a stored number."""
        return _ROWS[self.mode].bits or self._index[1]

    @property
    def storage(self) -> str:
        """OpenVINO's type of stored numbers."""
        return _ROWS[self.mode].storage or self._index[2]

    @property
    def _index(self) -> tuple[int, int, str]:
        return next(row for row in _ENTRIES if len(self.codebook) <= row[0])

    @property
    def scale_type(self) -> str:
        """OpenVINO's type of stored scales."""
        return _ROWS[self.mode].scale

    @property
    def largest(self) -> float:
        """Largest number before scaling, of floating point numbers and codebooks."""
        return max(map(abs, self.codebook)) if self.codebook else _ROWS[self.mode].largest

    @property
    def backup(self) -> WeightMode:
        """Default mode of the weights that this one is not for."""
        return _ROWS[self.mode].backup

    @property
    def is_integer(self) -> bool:
        """Whether the numbers are integers."""
        return self.family is NumberFamily.INTEGER

    @property
    def is_eight_bit_integer(self) -> bool:
        """Whether the numbers are integers of 8 bits, which every weight takes, without a backup."""
        return self.is_integer and self.bits == 8

    @property
    def is_symmetric(self) -> bool:
        """Whether there is no zero point for each scale."""
        return _ROWS[self.mode].symmetric

    @property
    def has_any_scale(self) -> bool:
        """Whether a scale may be any number."""
        return self.scale_type == "f16"

    @property
    def may_round_by_data(self) -> bool:
        """Whether methods that need data apply: to few bits with one level of scales."""
        return self.bits <= 4 and self.scale_type != "f8e4m3"

    @property
    def has_fixed_groups(self) -> bool:
        """Whether no other group size is possible."""
        return _ROWS[self.mode].fixed

    @property
    def is_grouped(self) -> bool:
        """Whether a channel has several scales."""
        return self.group_size != PER_CHANNEL

    @property
    def levels(self) -> tuple[int, int]:
        """Lowest and highest integer."""
        half = 2 ** (self.bits - 1)
        return (-half, half - 1) if self.is_symmetric else (0, 2 * half - 1)

    def to_dict(self) -> dict[str, Any]:
        """The format as plain values, without what its mode tells."""
        grouped = {"group_size": self.group_size} if self.is_grouped else {}
        own = {"codebook": list(self.codebook)} if self.mode is WeightMode.CODEBOOK else {}
        return {"mode": str(self.mode)} | grouped | own

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Reads what `to_dict` wrote.

        Raises:
            PlanError: A key or a word is unknown, or a value is not possible.
        """
        given = known_keys(mapping_of(values, "a weight format"), ["mode", "group_size", "codebook"], "weight format")
        entries = given.get("codebook", ())
        if not isinstance(entries, list | tuple) or not all(isinstance(entry, int | float) for entry in entries):
            msg = f"weight format key 'codebook' is {quoted(entries)}: it must be a list of numbers."
            raise PlanError(msg)
        mode = WeightMode.parse(given.get("mode", ""))
        return cls(mode, given.get("group_size", PER_CHANNEL), tuple(map(float, entries)))

    def __str__(self) -> str:
        usual = not self.is_grouped and _ROWS[self.mode].group_size == PER_CHANNEL
        return str(self.mode) if usual else f"{self.mode} g{self.group_size}"
