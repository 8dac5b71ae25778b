"""Parts of HTML for notebooks: tables and pictures that need no other files, with all texts escaped."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from autoq.core.values._brief import ending
from autoq.core.values._estimate import Estimate

_STYLE = """
.autoq-brief { font: 13px/1.45 system-ui, sans-serif; max-width: 60rem; }
.autoq-brief table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
.autoq-brief th, .autoq-brief td { text-align: right; padding: 2px 8px; white-space: nowrap; }
.autoq-brief { overflow-x: auto; } .autoq-brief .word { text-align: left; }
.autoq-brief td.word { white-space: normal; overflow-wrap: anywhere; min-width: 6rem; max-width: 20rem; }
.autoq-brief tr.chosen td { font-weight: 600; } .autoq-brief p { margin: .4rem 0; }
.autoq-brief dl { margin: .4rem 0; opacity: .75; } .autoq-brief dt, .autoq-brief dd { display: inline; margin: 0; }
.autoq-brief dt { font-weight: 600; } .autoq-brief dt::after { content: ": "; }
.autoq-brief svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
"""
_BLUE, _RED, _GREY = "#4a90d0", "#d7603c", "#8a9096"
_WIDTH, _ROW, _NAMES, _NUMBERS = 720, 20, 300, 90
_LONGEST = 44


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a picture.

    Attributes:
        name: Name beside the bar; only the end of a long one is shown.
        share: Length relative to the longest bar, in [0, 1].
        text: Text at the end of the bar.
        stands_out: Whether the bar has the colour that draws attention.
    """

    name: str
    share: float
    text: str
    stands_out: bool = False


def brief_html(title: str, parts: Iterable[str]) -> str:
    """The HTML of an object in a notebook: a title, then its parts."""
    return f'<div class="autoq-brief"><style>{_STYLE}</style><p><b>{html.escape(title)}</b></p>{"".join(parts)}</div>'


def paragraph(text: str) -> str:
    """A sentence."""
    return f"<p>{html.escape(text)}</p>"


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: Collection[int] = ()) -> str:
    """A table.

    Args:
        head: Titles of the columns.
        rows: Texts, equally many in each row.
        words: Places of the columns whose texts begin at the left.
    """

    def line(tag: str, texts: Sequence[str]) -> str:
        side = ['class="word"' if place in words else "" for place in range(len(texts))]
        return "".join(f"<{tag} {at}>{html.escape(text)}</{tag}>" for at, text in zip(side, texts, strict=True))

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{line('th', head)}</tr></thead><tbody>{body}</tbody></table>"


def bars_svg(bars: Sequence[Bar], *, label: str) -> str:
    """Bars, one under the other.

    Args:
        bars: The bars, from the top.
        label: What screen readers call the picture.
    """
    room = _WIDTH - _NAMES - _NUMBERS
    drawn = []
    for place, bar in enumerate(bars):
        y, length = place * _ROW, room * min(max(bar.share, 0.0), 1.0)
        name, color = html.escape(ending(bar.name, _LONGEST)), _RED if bar.stands_out else _BLUE
        drawn.append(
            f"<g><title>{html.escape(bar.name)}</title>"
            f'<text x="{_NAMES - 6}" y="{y + 14}" text-anchor="end">{name}</text>'
            f'<rect x="{_NAMES}" y="{y + 3}" width="{length:.1f}" height="{_ROW - 6}" fill="{color}"/>'
            f'<text x="{_NAMES + length + 6:.1f}" y="{y + 14}">{html.escape(bar.text)}</text></g>'
        )
    return _svg(drawn, len(bars) * _ROW, label)


def intervals_svg(rows: Sequence[tuple[str, Estimate, str]], *, label: str, zero: bool = False) -> str:
    """Numbers with their intervals along one axis.

    Args:
        rows: Name, number and text of each row, from the top.
        label: Name of the picture for screen readers.
        zero: Whether 0 is marked.
    """
    ends = [end for _, value, _ in rows for end in _ends(value)] + ([0.0] if zero else [])
    low, high = min(ends), max(ends)
    extent = (high - low) or abs(high) or 1.0
    low, high = low - 0.05 * extent, high + 0.05 * extent

    def x(value: float) -> float:
        return _NAMES + (_WIDTH - 2 * _NUMBERS - _NAMES) * (value - low) / (high - low)

    drawn = list(_zero(x(0.0), len(rows) * _ROW)) if zero else []
    for place, (name, value, text) in enumerate(rows):
        y, (left, right) = place * _ROW + _ROW // 2, map(x, _ends(value))
        drawn.append(
            f'<g><text x="{_NAMES - 6}" y="{y + 4}" text-anchor="end">{html.escape(ending(name, _LONGEST))}</text>'
            f'<path d="M{left:.1f} {y}H{right:.1f}M{left:.1f} {y - 4}v8M{right:.1f} {y - 4}v8" stroke="{_BLUE}" '
            f'stroke-width="1.5"/><circle cx="{x(value.value):.1f}" cy="{y}" r="4.5" fill="{_BLUE}"/>'
            f'<text x="{right + 8:.1f}" y="{y + 4}">{html.escape(text)}</text></g>'
        )
    return _svg(drawn, len(rows) * _ROW, label)


def _ends(value: Estimate) -> tuple[float, float]:
    """Ends of the interval; the number itself if it is unknown."""
    return (value.low, value.high) if value.known else (value.value, value.value)


def _zero(x: float, height: int) -> Iterator[str]:
    yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}" stroke="{_GREY}" stroke-dasharray="4 3"/>'


def _svg(parts: Sequence[str], height: int, label: str) -> str:
    named = html.escape(label)
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    style = 'style="max-width: 100%; height: auto"'
    return f'<svg role="img" aria-label="{named}" {size} {style}><title>{named}</title>{"".join(parts)}</svg>'
