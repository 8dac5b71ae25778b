"""Some items of a sequence, read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Indices = Sequence[int] | np.ndarray[Any, np.dtype[np.int64]]


def item_count(items: Any) -> int:  # anything
    """Number of items; 0 if it is not known, and for None."""
    return len(items) if hasattr(items, "__len__") else 0


class Chosen(Sequence[Any]):
    """Some items of a sequence, by their numbers.

    Args:
        items: Anything indexable.
        indices: Numbers of the items.
    """

    def __init__(self, items: Any, indices: Indices) -> None:  # anything indexable
        self._items = items
        self._indices = [int(index) for index in indices]

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Any:  # type: ignore[override]  # single items only
        return self._items[self._indices[index]]

    def __iter__(self) -> Iterator[Any]:
        return (self._items[index] for index in self._indices)
