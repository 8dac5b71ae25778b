"""The formats that a compressed weight may have: a mode, its groups and its codebook."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

from autoq.core.values import known_keys, mapping_of
from autoq.core.weights._mode import FACTS, PER_CHANNEL, CodebookType, NumberFamily, WeightMode
from autoq.core.words import PlanError, quoted

# A mode, and the group size where it is written.
_WORD = re.compile(r"(\S+)(?:\s+g(-1|[0-9]{1,9}))?")
# Largest number of entries by bits of an index.
_ENTRIES = ((16, 4, "u4"), (256, 8, "u8"), (65536, 16, "u16"))


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """The format of one compressed weight.

    Attributes:
        mode: The kind of numbers.
        group_size: Numbers along the reduced axis that share a scale; -1 for one scale for each channel.
        codebook: Entries in ascending order, of modes with a codebook; that of "cb4" is known. "adaptive_codebook"
            begins with it: a weight that was compressed has the mode "codebook", with the entries that were learned.
        codebook_type: Type of the entries, of modes with a codebook; by default that of the mode.
    """

    mode: WeightMode
    group_size: int = PER_CHANNEL
    codebook: tuple[float, ...] = ()
    codebook_type: CodebookType | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "mode", WeightMode.parse(self.mode))
        size, row = self.group_size, FACTS[self.mode]
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
        object.__setattr__(self, "codebook_type", self._checked_type())

    def _checked_codebook(self) -> tuple[float, ...]:
        facts = FACTS[self.mode]
        entries = tuple(map(float, self.codebook)) or facts.codebook
        if not facts.has_own_entries:
            if entries != facts.codebook:
                msg = f"codebook goes with mode 'codebook' or 'adaptive_codebook', and not with {str(self.mode)!r}."
                raise PlanError(msg)
            return entries
        ascending = all(low < high for low, high in pairwise(entries))
        most = _ENTRIES[1 if self.is_learned else -1][0]
        if not 2 <= len(entries) <= most or not ascending or not all(abs(entry) < float("inf") for entry in entries):
            msg = (
                f"codebook is {quoted(list(entries))}: mode {str(self.mode)!r} needs 2 to {most} finite numbers that "
                "ascend."
            )
            raise PlanError(msg)
        return entries

    def _checked_type(self) -> CodebookType | None:
        facts = FACTS[self.mode]
        if self.codebook_type is None:
            return facts.codebook_type
        kind = CodebookType.parse(self.codebook_type)
        if kind is not facts.codebook_type and not facts.has_own_entries:
            msg = f"codebook_type goes with mode 'codebook' or 'adaptive_codebook', and not with {str(self.mode)!r}."
            raise PlanError(msg)
        return kind

    @classmethod
    def default(
        cls, mode: WeightMode, codebook: tuple[float, ...] = (), codebook_type: CodebookType | None = None
    ) -> Self:
        """The format of a mode with its default group size."""
        return cls(mode, FACTS[mode].group_size, codebook, codebook_type)

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
        if FACTS[mode].has_own_entries:
            msg = f"weight format {str(mode)!r} has entries of its own, which no word tells: use 'cb4'."
            raise PlanError(msg)
        return cls.default(mode) if size is None else cls(mode, int(size))

    @property
    def family(self) -> NumberFamily:
        """Family of the numbers."""
        return FACTS[self.mode].family

    @property
    def bits(self) -> int:
        """Bits of a stored number."""
        return FACTS[self.mode].bits or self._index[1]

    @property
    def storage(self) -> str:
        """OpenVINO's type of stored numbers."""
        return FACTS[self.mode].storage or self._index[2]

    @property
    def _index(self) -> tuple[int, int, str]:
        return next(row for row in _ENTRIES if len(self.codebook) <= row[0])

    @property
    def scale_type(self) -> str:
        """OpenVINO's type of stored scales."""
        return FACTS[self.mode].scale

    @property
    def largest(self) -> float:
        """Largest number before scaling, of floating point numbers and codebooks."""
        return max(map(abs, self.codebook)) if self.codebook else FACTS[self.mode].largest

    @property
    def backup(self) -> WeightMode:
        """Default mode of the weights that this one is not for."""
        return FACTS[self.mode].backup

    @property
    def is_learned(self) -> bool:
        """Whether each weight, or each kind of weights, gets a codebook of its own when it is compressed."""
        return self.mode is WeightMode.ADAPTIVE_CODEBOOK

    def with_entries(self, entries: tuple[float, ...]) -> Self:
        """The format of a weight whose codebook was learned."""
        return type(self)(WeightMode.CODEBOOK, self.group_size, entries, self.codebook_type)

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
        return FACTS[self.mode].symmetric

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
        return FACTS[self.mode].fixed

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
        facts = FACTS[self.mode]
        own: dict[str, Any] = {}
        if self.codebook != facts.codebook:
            own["codebook"] = list(self.codebook)
        if self.codebook_type is not facts.codebook_type:
            own["codebook_type"] = str(self.codebook_type)
        return {"mode": str(self.mode)} | grouped | own

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Reads what `to_dict` wrote.

        Raises:
            PlanError: A key or a word is unknown, or a value is not possible.
        """
        keys = ["mode", "group_size", "codebook", "codebook_type"]
        given = known_keys(mapping_of(values, "a weight format"), keys, "weight format")
        entries = given.get("codebook", ())
        if not isinstance(entries, list | tuple) or not all(isinstance(entry, int | float) for entry in entries):
            msg = f"weight format key 'codebook' is {quoted(entries)}: it must be a list of numbers."
            raise PlanError(msg)
        mode = WeightMode.parse(given.get("mode", ""))
        codebook_type = given.get("codebook_type")
        return cls(mode, given.get("group_size", PER_CHANNEL), tuple(map(float, entries)), codebook_type)

    def __str__(self) -> str:
        usual = not self.is_grouped and FACTS[self.mode].group_size == PER_CHANNEL
        return str(self.mode) if usual else f"{self.mode} g{self.group_size}"
