"""Rows of a table as samples: of a CSV file, or of a frame of pandas or polars."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoq.calibration.sources._ports import Port
from autoq.core import ConfigError, DataError, brief_repr, path_of, reason

# Most characters of a number; a longer value is a text.
_LONGEST_NUMBER = 100
TARGETS = ("label", "labels", "target", "targets", "class", "y")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table(Sequence[Row]):
    """Rows of a table by the names of their columns; texts may be tokenized.

    Attributes:
        rows: Values: numbers, lists in JSON, or texts.
        tokenize: Makes model inputs of a text when its row is read; None leaves texts as they are.
        text: Name of the column of texts.
    """

    rows: tuple[Row, ...]
    tokenize: Callable[[str], Any] | None = None
    text: str | None = None

    __repr__ = brief_repr

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:  # type: ignore[override]  # single items only
        row = self.rows[index]
        if self.tokenize is None or self.text is None:
            return row
        others = {key: value for key, value in row.items() if key != self.text}
        found = self.tokenize(str(row[self.text]))
        if isinstance(found, Mapping):
            return {**others, **found}
        target = next((others[key] for key in others if key.lower() in TARGETS), None)
        return np.asarray(found), target

    def for_ports(self, ports: Sequence[Port]) -> Sequence[Any]:
        """The rows as a model with these inputs takes them.

        Columns with the names of inputs are these inputs. If there are none and the model has one input, it gets the
        one column of texts if it takes texts; otherwise all columns of numbers except a target, if there are as many as
        it has features. The target is the column with a name such as "label" or "target", or the last one.
        """
        if self.tokenize is not None or not self.rows or len(ports) != 1:
            return self
        (port,), columns = ports, list(self.rows[0])
        if any(column in port.aliases for column in columns):
            return self
        targets = [column for column in columns if column.lower() in TARGETS][:1]
        kinds = str if port.dtype.kind == "U" else (int, float)
        held = [c for c in columns if c not in targets and isinstance(self.rows[0][c], kinds)]
        features = 1 if port.dtype.kind == "U" else _last(port)
        if not targets and features is not None and len(columns) == features + 1:
            targets = columns[-1:]
            held = [column for column in held if column not in targets]
        if len(held) != features:
            return self
        values = [str(row[held[0]]) if kinds is str else [row[column] for column in held] for row in self.rows]
        labels = [{column: row[column] for column in targets} for row in self.rows]
        return [{port.name: value, **label} for value, label in zip(values, labels, strict=True)]


def of_frame(data: Any) -> Any:  # whatever a user brings
    """The rows of a frame by the names of its columns; a single column as a list; other data are given back."""
    if hasattr(data, "columns") and hasattr(data, "to_dicts"):
        return Table(tuple(data.to_dicts()))
    if hasattr(data, "iloc"):
        return Table(tuple(data.to_dict("records"))) if hasattr(data, "columns") else data.tolist()
    return data


def _last(port: Port) -> int | None:
    """Length of the last axis, if it is the only axis of a sample."""
    if port.shape.rank.is_dynamic or len(port.shape) not in {1, 2} or port.shape[-1].is_dynamic:
        return None
    return int(port.shape[-1].get_length())


def table(
    source: str | os.PathLike[str], *, tokenize: Callable[[str], Any] | None = None, text: str | None = None
) -> Table:
    """Rows of a CSV file as calibration or validation data.

    The first line names the columns. A value is a number, a list in JSON, or a text. Columns with the names of the
    model's inputs are its inputs. The column "label" or "target", or the only other one, is the target.

    Args:
        source: Path of the file, in UTF-8.
        tokenize: Makes model inputs of a text: a dict by input name, or an array. It is called when a row is read.
        text: Column of the texts; by default the first column of texts whose name is not that of a target.

    Returns:
        A sequence of rows.

    Raises:
        DataError: The file cannot be read, or a line has another number of values than the first.
        ConfigError: There is no such column.
    """
    path = path_of(source, "table", DataError)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            columns = next(lines, [])
            rows = []
            for line in lines:
                if len(line) != len(columns):
                    if not line:
                        continue
                    where = f"{str(path)!r}, line {lines.line_num}"
                    msg = f"{where}: {len(line)} values, but there are {len(columns)} columns."
                    raise DataError(msg)
                rows.append({column.strip(): _value(value) for column, value in zip(columns, line, strict=True)})
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{str(path)!r} cannot be read: {getattr(error, 'strerror', None) or reason(error)}."
        raise DataError(msg) from None
    if not rows:
        msg = f"{str(path)!r} has no rows below the names of its columns."
        raise DataError(msg)
    if tokenize is None:
        return Table(tuple(rows))
    names = list(rows[0])
    texts = [name for name in names if isinstance(rows[0][name], str) and name.lower() not in TARGETS]
    chosen = text or next(iter(texts), None)
    if chosen not in names:
        msg = f"{str(path)!r} has no column {text or 'of texts'!r}: its columns are {', '.join(map(repr, names))}."
        raise ConfigError(msg)
    return Table(tuple(rows), tokenize, chosen)


def _value(text: str) -> Any:  # a number, a list or a text
    text = text.strip()
    for kind in (int, float) if len(text) <= _LONGEST_NUMBER else ():
        try:
            return kind(text)
        except ValueError:
            continue
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text
