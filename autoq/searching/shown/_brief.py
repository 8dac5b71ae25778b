"""A front where a person looks at it: in a few lines of text, and as a notebook shows it."""

from __future__ import annotations

from collections.abc import Iterator

from autoq.core import MOST_LINES, text_table
from autoq.searching.front import TrialRow, TrialTable
from autoq.searching.shown._markup import heading, legend_html, trials_html
from autoq.searching.shown._svg import chart_svg
from autoq.searching.shown._texts import ACCURACY_DROP, LATENCY, ORIGIN, SIZE, SPEED_UP, STANDING, TRIAL, title_of

_COLUMNS = (TRIAL, ORIGIN, ACCURACY_DROP, SPEED_UP, LATENCY, SIZE, STANDING)
# If the front has more rows than this, only its steps are shown.
_MOST_ROWS = 16
# Number of trials drawn beside the front, so that a notebook stays small.
_MOST_BESIDE = 100


def front_lines(table: TrialTable, most: int = MOST_LINES) -> Iterator[str]:
    """The front as lines of text; tied members that differ only in their recipes share a line.

    Args:
        table: Table of a search.
        most: Lines that there may be.
    """
    rows = _rows(table)[: max(most - 3, 0)]
    yield f"{title_of(table)}: {len(table.front)} of {len(table.rows)} trials"
    if not rows:
        return
    texts = [[column.text(row, table.limits) for column in _COLUMNS] for row in rows]
    words = [place for place, column in enumerate(_COLUMNS) if column.is_word]
    yield from text_table([heading(column) for column in _COLUMNS], texts, words=words)
    if left := len(table.heads) - len(rows):
        yield f"... and {left} more"


def front_html(table: TrialTable, *, name: str = "Pareto front") -> Iterator[str]:
    """The front as parts of HTML: picture, table, and the meaning of its words.

    Args:
        table: Table of a search.
        name: What screen readers call the picture.
    """
    rows = _rows(table)
    yield chart_svg(_drawn(table), title=name)
    yield trials_html(rows, table.limits, label="Pareto front")
    yield legend_html(rows)


def _rows(table: TrialTable) -> tuple[TrialRow, ...]:
    rows = table.heads
    if len(rows) <= _MOST_ROWS:
        return rows
    steps = {row.number for row in table.front if row.is_step}
    kept = [row for row in rows if row.chosen or steps & {row.number, *row.stands_for}]
    return tuple(kept[:_MOST_ROWS])


def _drawn(table: TrialTable) -> TrialTable:
    """The table with the front, and with as many other trials, evenly spread, as a notebook can bear."""
    beside = [row for row in table.rows if row.rank is None and not row.record.is_baseline]
    if len(beside) <= _MOST_BESIDE:
        return table
    step = len(beside) / _MOST_BESIDE
    left_out = {row.number for row in beside} - {beside[int(place * step)].number for place in range(_MOST_BESIDE)}
    return TrialTable(tuple(row for row in table.rows if row.number not in left_out), table.limits)
