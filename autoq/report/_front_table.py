"""The front as a table of text that fits the width of its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autoq.core import counted
from autoq.searching.front import TrialRow, TrialTable
from autoq.searching.shown import (
    ACCURACY_DROP,
    FIRST_TOKEN,
    FLOAT_GROUPS,
    HELD_OUT,
    INT8_LAYERS,
    LATENCY,
    ORIGIN,
    REMARK,
    SIZE,
    SPEED_UP,
    STANDING,
    TRIAL,
    WEIGHTS,
    TextColumn,
    columns_of,
    heading,
    legend,
    title_of,
)

# A front with more rows than this is shown by its steps alone.
_MOST_ROWS = 16
_GAP = 2
# Columns that a narrow place omits, in this order; then columns that lose their intervals.
_SPARED = (REMARK, WEIGHTS, FLOAT_GROUPS, INT8_LAYERS, SIZE, HELD_OUT, FIRST_TOKEN, LATENCY)
_SHORTENED = (SPEED_UP, ACCURACY_DROP)


def front_table(table: TrialTable, width: int) -> RenderableType:
    """The front, fastest first, with a legend. Tied members that differ only in their recipes share one line.

    Columns, and then intervals, are omitted so that no line is broken.

    Args:
        table: The table of the search.
        width: Characters in a line.
    """
    rows = table.heads
    if len(rows) > _MOST_ROWS:
        steps = {row.number for row in table.front if row.is_step}
        rows = tuple(row for row in rows if row.chosen or steps & {row.number, *row.stands_for})
    cells = _fitting(rows, table, width)
    shown = Table(box=None, pad_edge=False, padding=(0, _GAP // 2), header_style="bold")
    for cell in cells:
        side = "left" if cell.column.is_word else "right"
        shown.add_column(Text(cell.title), justify=side, no_wrap=True, overflow="crop")  # type: ignore[arg-type]
    for line in zip(*(cell.texts for cell in cells), strict=True):
        shown.add_row(*map(Text, line))
    below = [Text(line, style="dim") for line in _below(rows, table)]
    return Group(Text(title_of(table), style="italic"), shown, *below)


@dataclass(frozen=True, slots=True)
class _Cells:
    """A column as it is shown: its title and its texts."""

    column: TextColumn
    title: str
    texts: tuple[str, ...]

    @property
    def width(self) -> int:
        return max(map(cell_len, (self.title, *self.texts)))


def _fitting(rows: Sequence[TrialRow], table: TrialTable, width: int) -> list[_Cells]:
    """The columns that the width has room for."""
    digits = max((len(str(row.number)) for row in rows), default=1)
    named = replace(TRIAL, text=lambda row, _: f"{row.number:>{digits}} {row.record.origin}", is_word=True)
    columns = [named, *(column for column in columns_of(rows) if column not in {TRIAL, ORIGIN})]
    cells = [_Cells(c, heading(c), tuple(c.text(row, table.limits) for row in rows)) for c in columns]
    for spared in _SPARED:
        if _width(cells) > width:
            cells = [cell for cell in cells if cell.column is not spared]
    for shortened in _SHORTENED:
        if _width(cells) > width:
            cells = [_without_interval(cell) if cell.column is shortened else cell for cell in cells]
    return cells if _width(cells) <= width else [cell for cell in cells if cell.column is not STANDING]


def _without_interval(cell: _Cells) -> _Cells:
    return _Cells(cell.column, cell.column.title, tuple(text.partition(" ")[0] for text in cell.texts))


def _width(cells: Sequence[_Cells]) -> int:
    return sum(cell.width for cell in cells) + _GAP * (len(cells) - 1)


def _below(rows: Sequence[TrialRow], table: TrialTable) -> Iterator[str]:
    """Notes on the table: where its figures come from, what its words mean, what it omits."""
    if table.is_closed:
        yield "Measured together at the end: these figures replace the earlier ones."
    yield from (f"{word}: {meaning}" for word, meaning in legend(rows).items())
    if left := len(table.heads) - len(rows):
        are = "is" if left == 1 else "are"
        yield f"{counted(left, 'more model')} of the front, tied with these, {are} not shown here."
