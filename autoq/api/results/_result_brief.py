"""A search's result where a person looks at it: in a few lines of text, and as a notebook shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from autoq.core import MOST_LINES, WIDTH, brief_html, capitalized, cut, in_lines, paragraph
from autoq.searching.shown import front_html, front_lines

if TYPE_CHECKING:
    from autoq.api.results._result import SearchResult

# Lines for what is said in sentences.
_VERDICT, _HELD_OUT = 5, 2


def result_lines(result: SearchResult) -> list[str]:
    """A result as at most twenty lines of text."""
    info = result.info
    lines = [cut(f"SearchResult of {info.model_name}: {len(result.records)} trials, {info.metric}", WIDTH)]
    for sentences, most in ((result.verdict, _VERDICT), (result.holdout_verdict, _HELD_OUT)):
        if sentences is not None:
            lines += in_lines(sentences, most)
    return [*lines, *front_lines(result.table, MOST_LINES - len(lines))]


def result_html(result: SearchResult) -> str:
    """A result as a notebook shows it."""
    info = result.info
    return brief_html(f"{info.model_name}: {len(result.records)} trials, {info.metric}", _parts(result))


def _parts(result: SearchResult) -> Iterator[str]:
    for sentences in (result.verdict, result.holdout_verdict):
        if sentences is not None:
            yield paragraph(capitalized(sentences))
    yield from front_html(result.table, name=f"Pareto front of {result.info.model_name}")
