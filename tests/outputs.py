"""The figures of trials as each output of a search has them, read back from it alone."""

import csv
import html
import re
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path

FIGURE = r"[+-]?\d+(?:\.\d+)?(?:e[+-]\d+)?"


def in_terminal(text: str) -> list[dict[str, str]]:
    """Rows of the last table of the front, by heading."""
    _, head, *lines = text[text.rindex("\nPareto front,") + 1 :].splitlines()
    titles = [title.removesuffix(" [95%]") for title in re.split(" {2,}", head.strip())]
    rows = []
    for line in lines:
        if not re.match(r" *\d+ \w+ ", line):
            break
        row = dict(zip_longest(titles, re.split(" {2,}", line.strip()), fillvalue=""))
        row["trial"], row["origin"] = row["trial"].split()
        rows.append(row)
    return rows


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] | None = None
        self._in_cell = False

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if given.get("class") == "autoq-trials":
            self._rows = self.tables.setdefault(given["aria-label"], [])
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in {"td", "th"} and self._rows is not None:
            self._rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag):
        if tag == "table":
            self._rows = None
        if tag in {"td", "th"}:
            self._in_cell = False

    def handle_data(self, data):
        if self._in_cell and self._rows is not None:
            self._rows[-1][-1] += data


def in_page(page: str, label: str) -> list[dict[str, str]]:
    """Rows of a table of trials in the report, by heading."""
    parser = _Tables()
    parser.feed(page)
    head, *rows = parser.tables[label]
    titles = [title.removesuffix(" [95%]") for title in head]
    return [dict(zip(titles, row, strict=True)) for row in rows]


def in_chart(page: str) -> dict[int, list[str]]:
    """What the chart in the report says of each trial, in lines."""
    found = re.findall(r'data-trial="(\d+)"><title>(.*?)</title>', page, flags=re.DOTALL)
    return {int(number): html.unescape(text).splitlines() for number, text in found}


def in_csv(path: Path) -> list[dict[str, str]]:
    """Rows of trials.csv, by heading."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def in_picture(axes) -> dict[str, list[tuple[float, float]]]:
    """Points of the picture by what the legend calls them, and the numbered ones by their number."""
    found = {c.get_label(): sorted(map(tuple, c.get_offsets().tolist())) for c in axes.collections}
    numbered = {text.get_text(): [tuple(text.xy)] for text in axes.texts if text.get_text().isdigit()}
    return {label: points for label, points in found.items() if not label.startswith("_")} | numbered


def says(text: str, *values: float) -> bool:
    """Whether a text has these numbers and no others, each to within half a unit of its last digit."""
    told = re.findall(FIGURE, text)
    if len(told) == 1 and len(set(values)) == 1:
        values = values[:1]
    units = [_unit(number) for number in told]
    return len(told) == len(values) and all(
        abs(float(number) - value) <= 0.5001 * unit for number, value, unit in zip(told, values, units, strict=True)
    )


def _unit(number: str) -> float:
    """Of the last digit of a number as it is written."""
    mantissa, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
