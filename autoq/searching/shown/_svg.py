"""The picture of a front as SVG. It needs no other file, and screen readers can read it."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from autoq.core import Estimate
from autoq.searching.front import TrialTable
from autoq.searching.shown._chart import CHOSEN, Chart, Kind, Mark, ticks
from autoq.searching.shown._texts import DROP, told

_WIDTH, _HEIGHT = 880.0, 460.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 84.0, 18.0, 18.0, 56.0
# In a picture of more trials than this, only the front tells a pointer about itself.
_MOST_TOLD = 1500
_CLASSES = {
    Kind.OUTSIDE: "outside",
    Kind.WITHIN: "within",
    Kind.LIKE: "like",
    Kind.FRONT: "front",
    Kind.FLOAT: "float",
}
_RADII = {Kind.OUTSIDE: 3.5, Kind.WITHIN: 3.5, Kind.LIKE: 3.5, Kind.FRONT: 5.5, Kind.FLOAT: 5.5}
_FONT = 13.0
# Places of a number beside its mark: offsets, and which end of the number stands there.
_PLACES = (
    (9, -8, "start"),
    (9, 17, "start"),
    (-9, -8, "end"),
    (-9, 17, "end"),
    (14, 5, "start"),
    (-14, 5, "end"),
    (9, -22, "start"),
    (9, 31, "start"),
)

STYLE = """
.autoq-chart { --paper: #fff; --ink: #202124; --faint: #5f6368; --grid: #e3e5e8; --blue: #1a66a8; --red: #b8431c;
  --grey: #8a9096; color-scheme: light; margin: 0; color: var(--ink); }
@media screen and (prefers-color-scheme: dark) { .autoq-dark.autoq-chart, .autoq-dark .autoq-chart { --paper: #17191c;
  --ink: #e8eaed; --faint: #a6acb3; --grid: #34383d; --blue: #7db8ee; --red: #f0906a; --grey: #8f969d;
  color-scheme: dark; } }
.autoq-chart svg { display: block; width: 100%; height: auto; background: var(--paper); }
.autoq-chart text { font: 13px system-ui, sans-serif; fill: var(--ink); }
.autoq-chart .axis text, .autoq-chart .note { fill: var(--faint); }
.autoq-chart .axis line { stroke: var(--grid); }
.autoq-chart .limit line { stroke: var(--red); stroke-dasharray: 6 4; } .autoq-chart .limit text { fill: var(--red); }
.autoq-chart .steps { fill: none; stroke: var(--blue); stroke-width: 1.5; opacity: .5; }
.autoq-chart .arms { fill: none; stroke: var(--blue); stroke-width: 1.2; }
.autoq-chart .number { fill: var(--blue); font-weight: 600; paint-order: stroke; stroke: var(--paper);
  stroke-width: 3px; }
.autoq-chart .outside { fill: var(--red); } .autoq-chart .within { fill: var(--grey); }
.autoq-chart .like { fill: var(--blue); opacity: .6; } .autoq-chart .front { fill: var(--blue); }
.autoq-chart .float { fill: var(--ink); }
.autoq-chart .ring { fill: none; stroke: var(--ink); stroke-width: 2; }
.autoq-chart .mark:focus { outline: 2px solid var(--ink); outline-offset: 2px; }
.autoq-chart figcaption { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; font: 13px system-ui, sans-serif;
  color: var(--faint); padding: .3rem 0 0; }
.autoq-chart figcaption svg { display: inline-block; width: 18px; height: 12px; margin-right: .4rem; }
@media (max-width: 640px) { .autoq-chart > svg text { font-size: 20px; } }
"""


def chart_svg(table: TrialTable, *, title: str = "Pareto front") -> str:
    """The front among all trials, with its legend, as a figure of HTML.

    A pointer that rests on a trial shows its figures, without any script. The colours are light; inside a part of class
    "autoq-dark", they follow the reader's preference for light or dark.

    Args:
        table: Table of the search.
        title: Name of the picture for screen readers.
    """
    chart = Chart.of(table)
    body = "\n".join(
        [
            f"<title>{_text(title)}</title>",
            f"<desc>{_text(_described(chart))}</desc>",
            *_axes(chart),
            *_limits(chart),
            *_steps(chart),
            *_drawn(chart, table),
        ]
    )
    return (
        f'<figure class="autoq-chart"><style>{STYLE}</style>'
        f'<svg viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="group" aria-label="{_text(title)}">{body}</svg>'
        f"<figcaption>{''.join(_legend(chart))}</figcaption></figure>"
    )


def _described(chart: Chart) -> str:
    said = f"{chart.title}, beside the float model, to the right, {DROP} upwards; {len(chart.marks)} trials."
    return f"{said} {chart.note}." if chart.note else said


def _x(chart: Chart, value: float) -> float:
    left, right = chart.x
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - left) / (right - left)


def _y(chart: Chart, value: float) -> float:
    low, high = chart.y
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / (high - low)


def _axes(chart: Chart) -> Iterator[str]:
    yield '<g class="axis">'
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for value in ticks(*chart.x):
        x = _x(chart, value)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP:g}" y2="{bottom:g}"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 19:g}" text-anchor="middle">{value:g}</text>'
    for value in ticks(*chart.y):
        y = _y(chart, value)
        yield f'<line x1="{_LEFT:g}" x2="{right:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    yield "</g>"
    middle, height = (_LEFT + right) / 2, (_TOP + bottom) / 2
    yield f'<text x="{middle:g}" y="{_HEIGHT - 8:g}" text-anchor="middle">{chart.title} →</text>'
    yield f'<text transform="translate(18 {height:g}) rotate(-90)" text-anchor="middle">{DROP} →</text>'
    if chart.note:
        yield f'<text class="note" x="{right:g}" y="{_HEIGHT - 8:g}" text-anchor="end">{chart.note}</text>'


def _limits(chart: Chart) -> Iterator[str]:
    """Each limit as a line. Its name stands at the end that is far from the fast and accurate models."""
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    for line in chart.lines:
        text = _text(chart.name(line))
        yield '<g class="limit">'
        if line.axis == "y":
            y = _y(chart, line.value)
            if chart.shows(line):
                yield f'<line x1="{_LEFT:g}" x2="{right:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
            yield f'<text x="{_LEFT + 6:g}" y="{min(max(y - 6, _TOP + 12), bottom - 6):.1f}">{text}</text>'
        else:
            x = _x(chart, line.value)
            if chart.shows(line):
                yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP:g}" y2="{bottom:g}"/>'
            at = f"translate({min(max(x - 6, _LEFT + 16), right - 4):.1f} {_TOP + 4:g}) rotate(-90)"
            yield f'<text transform="{at}" text-anchor="end">{text}</text>'
        yield "</g>"


def _steps(chart: Chart) -> Iterator[str]:
    points = [(_x(chart, x), _y(chart, y)) for x, y in chart.steps]
    if len(points) > 1:
        # The line goes from the fastest to the slowest step: to the left at one drop, then down.
        path = f"M{points[0][0]:.1f} {points[0][1]:.1f}" + "".join(f"H{x:.1f}V{y:.1f}" for x, y in points[1:])
        yield f'<path class="steps" d="{path}"/>'


def _drawn(chart: Chart, table: TrialTable) -> Iterator[str]:
    beyond = {mark.row.number for mark in chart.beyond}
    seen = [mark for mark in chart.marks if mark.row.number not in beyond]
    few = len(seen) <= _MOST_TOLD
    for mark in seen:
        if mark.has_arms:
            yield _arms(chart, mark)
    for mark in seen:
        x, y, name = *_place(chart, mark), _CLASSES[mark.kind]
        shape = _shape(mark.kind, x, y)
        if mark.row.chosen:
            shape += f'<circle class="ring" data-of="{CHOSEN}" cx="{x:.1f}" cy="{y:.1f}" r="10"/>'
        title = ""
        if few or mark.has_arms:
            lines = "\n".join(map(_text, told(mark.row, table.limits)))
            title = f' class="mark" tabindex="0" role="img" data-trial="{mark.row.number}"><title>{lines}</title'
        yield f'<g data-of="{name}"{title}>{shape}</g>'
    yield from _numbers(chart, seen)


def _place(chart: Chart, mark: Mark) -> tuple[float, float]:
    return _x(chart, mark.gain.value), _y(chart, mark.drop.value)


def _arms(chart: Chart, mark: Mark) -> str:
    x, y = _place(chart, mark)
    path = ""
    if _wide(mark.gain):
        left, right = _x(chart, mark.gain.low), _x(chart, mark.gain.high)
        path += f"M{left:.1f} {y:.1f}H{right:.1f}M{left:.1f} {y - 3:.1f}v6M{right:.1f} {y - 3:.1f}v6"
    if _wide(mark.drop):
        low, high = _y(chart, mark.drop.low), _y(chart, mark.drop.high)
        path += f"M{x:.1f} {low:.1f}V{high:.1f}M{x - 3:.1f} {low:.1f}h6M{x - 3:.1f} {high:.1f}h6"
    return f'<path class="arms" data-of="{_CLASSES[mark.kind]}" d="{path}"/>' if path else ""


def _wide(estimate: Estimate) -> bool:
    return estimate.known and estimate.high > estimate.low


def _shape(kind: Kind, x: float, y: float) -> str:
    r, name = _RADII[kind], _CLASSES[kind]
    if kind is Kind.FLOAT:
        return f'<rect class="{name}" x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r:g}" height="{2 * r:g}"/>'
    return f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="{r:g}"/>'


def _numbers(chart: Chart, marks: Sequence[Mark]) -> Iterator[str]:
    """The numbers of the marks with intervals, each where it hides the least of other marks and numbers."""
    points = {mark.row.number: _place(chart, mark) for mark in marks}
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in points.values()]
    # The recommended trial has the first choice of a place.
    for mark in sorted((mark for mark in marks if mark.has_arms), key=lambda mark: not mark.row.chosen):
        x, y = points[mark.row.number]
        width = 0.62 * _FONT * len(str(mark.row.number))
        boxes = [_box(x + dx, y + dy, width, anchor) for dx, dy, anchor in _PLACES]
        best = min(range(len(boxes)), key=lambda place: (sum(_overlap(boxes[place], other) for other in taken), place))
        taken.append(boxes[best])
        dx, dy, anchor = _PLACES[best]
        at = f'x="{x + dx:.1f}" y="{y + dy:.1f}" text-anchor="{anchor}" aria-hidden="true"'
        yield f'<text class="number" data-of="{_CLASSES[mark.kind]}" {at}>{mark.row.number}</text>'


def _box(x: float, y: float, width: float, anchor: str) -> tuple[float, float, float, float]:
    left = x - width if anchor == "end" else x
    return left, y - 0.8 * _FONT, left + width, y + 0.1 * _FONT


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def _legend(chart: Chart) -> Iterator[str]:
    """Each kind of mark that there is, the most important first."""
    occurring = {mark.kind for mark in chart.marks}
    if chart.chosen is not None:
        yield _entry('<circle class="ring" cx="9" cy="6" r="5"/>', f"{CHOSEN}: trial {chart.chosen.row.number}", CHOSEN)
    for kind in reversed(Kind):
        if kind in occurring:
            yield _entry(_shape(kind, 9, 6), str(kind), _CLASSES[kind])


def _entry(shape: str, text: str, name: str) -> str:
    glyph = f'<svg viewBox="0 0 18 12" aria-hidden="true">{shape}</svg>'
    return f'<span data-kind="{name}">{glyph}{_text(text)}</span>'


def _text(value: str) -> str:
    return html.escape(value)
