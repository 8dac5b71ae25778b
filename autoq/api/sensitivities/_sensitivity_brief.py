"""Sensitivities for people: as a few lines of text, as a table, and as a notebook shows them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from autoq.api.sensitivities._unit_sensitivity import MeasuredUnits, what_is_done
from autoq.core import MOST_LINES, Bar, bars_svg, brief_html, ending, html_table, text_table

_WORDS = (0, 1)
_LONGEST, _LONGEST_TYPES = 48, 24
_IN_PICTURE = 15


def sensitivity_columns(report: MeasuredUnits) -> list[str]:
    """Titles of the columns of `sensitivity_rows`."""
    gain = ["gain"] if _gained(report) else []
    return ["unit", "types", "ops", str(report.measure), "of the whole", "left", *gain, *_others(report)]


def sensitivity_rows(report: MeasuredUnits, top: int) -> list[list[str]]:
    """Rows of the most sensitive units, with the columns of `sensitivity_columns`."""
    gained = _gained(report)
    return [
        [
            unit.unit,
            ", ".join(unit.types),
            str(len(unit.ops)),
            _distortion(unit.distortion),
            f"{unit.share:.1%}" if math.isfinite(unit.share) else "",
            f"{unit.left:.1%}" if math.isfinite(unit.left) else "",
            *(["" if unit.gain is None else f"{unit.gain:+.1%}"] if gained else []),
            *(_distortion(unit.others[precision]) for precision in _others(report)),
        ]
        for unit in report.units[:top]
    ]


def sensitivity_summary(report: MeasuredUnits) -> str:
    """A summary of the measurements, in a line."""
    return (
        f"{len(report.units)} units, {report.measure} of all of them {what_is_done(report)} {report.whole:.3e}, "
        f"{report.inferences} inferences"
    )


def sensitivity_lines(report: MeasuredUnits) -> Iterator[str]:
    """A report as at most twenty lines of text."""
    rows = sensitivity_rows(report, MOST_LINES - 3)
    yield f"SensitivityReport: {sensitivity_summary(report)}"
    if rows:
        short = [[ending(row[0], _LONGEST), ending(row[1], _LONGEST_TYPES), *row[2:]] for row in rows]
        yield from text_table(sensitivity_columns(report), short, words=_WORDS)
    if left := len(report.units) - len(rows):
        yield f"... and {left} more"


def sensitivity_html(report: MeasuredUnits) -> str:
    """A report as a notebook shows it; units in red fail when they are quantized."""
    rows = sensitivity_rows(report, MOST_LINES)
    finite = [unit.distortion for unit in report.units if math.isfinite(unit.distortion)]
    longest = max(finite, default=0.0)
    bars = []
    for unit in report.units[:_IN_PICTURE]:
        fails = not math.isfinite(unit.distortion)
        share = 1.0 if fails else unit.distortion / longest if longest else 0.0
        bars.append(Bar(unit.unit, share, _distortion(unit.distortion), fails))
    left = len(report.units) - len(rows)
    return brief_html(
        f"Sensitivity: {sensitivity_summary(report)}",
        [
            bars_svg(bars, label=f"Distortion ({report.measure}) with each unit alone {what_is_done(report)}"),
            html_table(sensitivity_columns(report), rows, words=_WORDS),
            *([f"<p>... and {left} more</p>"] if left else []),
        ],
    )


def _gained(report: MeasuredUnits) -> bool:
    return any(unit.gain is not None for unit in report.units)


def _others(report: MeasuredUnits) -> list[str]:
    """Further precisions, or shares of channels, that units were measured with."""
    return list(report.units[0].others) if report.units else []


def _distortion(value: float) -> str:
    return f"{value:.2e}" if math.isfinite(value) else "fails"
