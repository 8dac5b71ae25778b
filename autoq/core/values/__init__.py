"""Values of users and files, read and checked; and the texts that show values."""

from autoq.core.values._brief import MOST_LINES, WIDTH, brief_repr, cut, ending, in_lines, text_table
from autoq.core.values._estimate import Estimate
from autoq.core.values._html import Bar, bars_svg, brief_html, html_table, intervals_svg, paragraph
from autoq.core.values._inputs import check_not_inputs
from autoq.core.values._typed_values import typed
from autoq.core.values._values import (
    DEEPEST,
    MOST_INT,
    is_deeper,
    is_number,
    json_value,
    known_keys,
    mapping_of,
    whole_number,
)

__all__ = [
    "DEEPEST",
    "MOST_INT",
    "MOST_LINES",
    "WIDTH",
    "Bar",
    "Estimate",
    "bars_svg",
    "brief_html",
    "brief_repr",
    "check_not_inputs",
    "cut",
    "ending",
    "html_table",
    "in_lines",
    "intervals_svg",
    "is_deeper",
    "is_number",
    "json_value",
    "known_keys",
    "mapping_of",
    "paragraph",
    "text_table",
    "typed",
    "whole_number",
]
