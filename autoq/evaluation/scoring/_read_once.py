"""Labelled data that are read and converted once, and not again for each candidate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psutil

from autoq.calibration import Feed

_MOST_BYTES = 512 * 2**20
# Share of the free memory that items may take.
_MEMORY_SHARE = 0.125


class ReadOnce(Sequence[tuple[Feed, Any]]):
    """Pairs of inputs and target that are kept once they were read, until they take too much memory.

    Pairs beyond that are read at each use.

    Args:
        pairs: The pairs, by place. Nobody changes them after they were read.
        most_bytes: Largest size of all pairs that are kept; by default 512 MiB, or an eighth of the free memory.
    """

    def __init__(self, pairs: Sequence[tuple[Feed, Any]], most_bytes: int | None = None) -> None:
        self._pairs = pairs
        free = int(_MEMORY_SHARE * psutil.virtual_memory().available)
        self._left = min(_MOST_BYTES, free) if most_bytes is None else most_bytes
        self._kept: dict[int, tuple[Feed, Any]] = {}

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[Feed, Any]:  # type: ignore[override]  # single items only
        if (known := self._kept.get(index)) is not None:
            return known
        inputs, target = pair = self._pairs[index]
        size = _bytes(inputs) + _bytes(target)
        if size <= self._left:
            self._left -= size
            self._kept[index] = pair
        return pair

    def __iter__(self) -> Iterator[tuple[Feed, Any]]:
        return (self[index] for index in range(len(self)))


def _bytes(value: Any) -> int:  # the user's own
    """Size of the arrays in inputs or in a target."""
    if isinstance(value, Mapping):
        return sum(map(_bytes, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(_bytes, value))
    return int(getattr(value, "nbytes", 0))
