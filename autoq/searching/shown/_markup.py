"""Trials as a table of HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

from autoq.searching.front import TrialRow
from autoq.searching.records import Limits
from autoq.searching.shown._texts import TextColumn, columns_of, legend


def trials_html(rows: Sequence[TrialRow], limits: Limits, *, label: str) -> str:
    """A table of HTML with a line for each trial.

    Args:
        rows: The trials, in the order in which they are shown.
        limits: Limits of the search.
        label: Name of the table for screen readers.
    """
    columns = columns_of(rows)
    head = "".join(f'<th scope="col"{_side(column)}>{html.escape(heading(column))}</th>' for column in columns)
    lines = "\n".join(f"<tr{_state(row)}>{_cells(row, columns, limits)}</tr>" for row in rows)
    return (
        f'<div class="autoq-trials" role="region" aria-label="{html.escape(label)}" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>\n{lines}\n</tbody></table></div>"
    )


def legend_html(rows: Sequence[TrialRow]) -> str:
    """The meaning of the words that occur in such a table."""
    words = "".join(
        f"<div><dt>{html.escape(word)}</dt> <dd>{html.escape(meaning)}</dd></div>"
        for word, meaning in legend(rows).items()
    )
    return f'<dl class="autoq-legend">{words}</dl>'


def heading(column: TextColumn) -> str:
    """Title of a column; it says where the numbers have intervals."""
    return f"{column.title} [95%]" if column.interval else column.title


def _cells(row: TrialRow, columns: Sequence[TextColumn], limits: Limits) -> str:
    return "".join(f"<td{_side(column)}>{html.escape(column.text(row, limits))}</td>" for column in columns)


def _side(column: TextColumn) -> str:
    return (' class="word long"' if column.is_long else ' class="word"') if column.is_word else ""


def _state(row: TrialRow) -> str:
    return ' class="chosen"' if row.chosen else ""
