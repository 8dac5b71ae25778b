"""Short texts of objects for people: a few lines, whatever an object holds."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

from autoq.core.vocabulary import Precision

MOST_LINES, WIDTH = 20, 120
# So many entries are written out; more are only counted.
_FEW = 3
_LONGEST = 72


def brief_repr(value: Any) -> str:  # a dataclass, or a pydantic model
    """The representation of an object by its fields, in at most twenty lines. Large values are only counted.

    Example:
        >>> class Found:
        ...     __repr__ = brief_repr
    """
    names = [field.name for field in fields(value)] if is_dataclass(value) else list(type(value).model_fields)
    parts = [f"{name}={_short(getattr(value, name), 2)}" for name in names]
    head = type(value).__name__
    if len(one := f"{head}({', '.join(parts)})") <= WIDTH:
        return one
    most = MOST_LINES - 2
    left = [] if len(parts) <= most else [f"... and {len(parts) - most + 1} more"]
    lines = [cut(f"    {part},", WIDTH) for part in parts[: most - len(left)]]
    return "\n".join([f"{head}(", *lines, *(f"    {text}" for text in left), ")"])


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, words: Collection[int] = ()) -> list[str]:
    """A table as lines of text.

    Args:
        head: Titles of the columns.
        rows: Texts, equally many in each row.
        words: Places of the columns whose texts begin at the left.
    """
    lines = [head, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    sides = ["<" if place in words else ">" for place in range(len(head))]
    return [
        cut("  ".join(f"{text:{side}{width}}" for text, side, width in zip(line, sides, widths, strict=True)), WIDTH)
        for line in lines
    ]


def in_lines(text: str, most: int = 5) -> list[str]:
    """Sentences in at most so many lines."""
    return textwrap.wrap(text, WIDTH, max_lines=most, placeholder=" …")


def cut(text: str, length: int) -> str:
    """A text in one line of at most so many characters."""
    text = " ".join(text.split("\n")).rstrip()
    return text if len(text) <= length else f"{text[: length - 1]}…"


def ending(text: str, length: int) -> str:
    """The end of a name, which differs from other names, if it has more characters than allowed."""
    return text if len(text) <= length else f"…{text[1 - length :]}"


def _short(value: Any, depth: int) -> str:
    """A value as a short text within a line."""
    if isinstance(value, np.ndarray):
        return f"<array of {value.dtype}, shape {value.shape}>"
    if isinstance(value, Enum | Precision):
        return repr(str(value))
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _entries(value, depth)
    if is_dataclass(value) and not isinstance(value, type):
        name = type(value).__name__
        parts = (f"{field.name}={_short(getattr(value, field.name), depth - 1)}" for field in fields(value))
        written = f"{name}({', '.join(parts)})" if depth > 0 else f"{name}(...)"
        return written if len(written) <= _LONGEST else f"{name}(...)"
    return cut(repr(value), _LONGEST)


def _entries(value: Any, depth: int) -> str:  # a mapping, or a plain collection
    """A collection: its entries if they are few, otherwise their number and types."""
    pairs = isinstance(value, Mapping)
    if len(value) <= _FEW and depth > 0:
        short = [_short(entry, depth - 1) for entry in value]
        if pairs:
            short = [f"{key}: {_short(entry, depth - 1)}" for key, entry in zip(short, value.values(), strict=True)]
        opening, closing = "{}" if pairs or isinstance(value, set | frozenset) else "[]"
        if len(written := f"{opening}{', '.join(short)}{closing}") <= _LONGEST:
            return written
    kinds = sorted({type(entry).__name__ for entry in (value.values() if pairs else value)})
    return f"<{len(value)} of {', '.join(kinds[:_FEW])}>" if kinds else f"<{len(value)}>"
