"""A search's result for people: as a few lines of text, and as a notebook shows it."""

from __future__ import annotations

from collections.abc import Iterator

from autoq.core import MOST_LINES, WIDTH, brief_html, capitalized, cut, in_lines, paragraph
from autoq.searching.front import SearchInfo, TrialTable
from autoq.searching.shown import front_html, front_lines

# Lines for each text.
_VERDICT, _HELD_OUT = 5, 2


def result_lines(info: SearchInfo, table: TrialTable, verdict: str, held_out: str | None) -> list[str]:
    """A result as at most twenty lines of text.

    Args:
        info: The search.
        table: Every trial.
        verdict: The outcome in sentences.
        held_out: The outcome on held-out data in a sentence; None without such data.
    """
    lines = [cut(f"SearchResult of {_title(info, table)}", WIDTH)]
    for sentences, most in ((verdict, _VERDICT), (held_out, _HELD_OUT)):
        if sentences is not None:
            lines += in_lines(sentences, most)
    return [*lines, *front_lines(table, MOST_LINES - len(lines))]


def result_html(info: SearchInfo, table: TrialTable, verdict: str, held_out: str | None) -> str:
    """A result as a notebook shows it, with the arguments of `result_lines`."""
    return brief_html(_title(info, table), _parts(info, table, verdict, held_out))


def _title(info: SearchInfo, table: TrialTable) -> str:
    return f"{info.model_name}: {len(table.rows)} trials, {info.metric}"


def _parts(info: SearchInfo, table: TrialTable, verdict: str, held_out: str | None) -> Iterator[str]:
    for sentences in (verdict, held_out):
        if sentences is not None:
            yield paragraph(capitalized(sentences))
    yield from front_html(table, name=f"Pareto front of {info.model_name}")
