"""A profile where a person looks at it: in a few lines of text, as a table, and as a notebook shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from autoq.core import MOST_LINES, Bar, bars_svg, brief_html, ending, html_table, text_table
from autoq.evaluation.execution._layer_profile import LayerProfile

PROFILE_COLUMNS = ("layer", "type", "runs in", "ms", "share", "group", "why not int8")
_WORDS = (0, 1, 2, 5, 6)
_IN_TEXT, _LONGEST = 5, 48
_IN_PICTURE = 15


class Profiled(Protocol):
    """The part of a `Profile` that people see."""

    @property
    def layers(self) -> Sequence[LayerProfile]:
        """All layers."""

    @property
    def wall_ms(self) -> float:
        """Median time of an inference without counting."""

    @property
    def kernels_ms(self) -> float:
        """Sum of the times of all layers."""

    @property
    def int8_ms(self) -> float:
        """Sum of the times of layers that compute in int8."""

    @property
    def residual_ms(self) -> float:
        """Time of an inference less the sum of all layers."""


def profile_rows(profile: Profiled, top: int) -> list[list[str]]:
    """The layers that take the longest, in the columns of `PROFILE_COLUMNS`."""
    layers = sorted(profile.layers, key=lambda layer: -layer.ms)
    return [
        [
            layer.name,
            layer.type,
            layer.precision,
            f"{layer.ms:.3f}",
            f"{layer.share:.1%}",
            layer.group or "",
            layer.why_not_int8 or "",
        ]
        for layer in layers[:top]
    ]


def profile_summary(profile: Profiled) -> str:
    """The sums of the times, in a line."""
    return (
        f"layers {profile.kernels_ms:.3f} ms ({profile.int8_ms:.3f} in int8), an inference without counting "
        f"{profile.wall_ms:.3f} ms, residual {profile.residual_ms:+.3f} ms"
    )


def profile_lines(profile: Profiled) -> Iterator[str]:
    """A profile as at most twenty lines of text."""
    rows = profile_rows(profile, MOST_LINES - 3)
    yield f"Profile of {len(profile.layers)} layers: {profile_summary(profile)}"
    if rows:
        short = [[ending(row[0], _LONGEST), *row[1:_IN_TEXT]] for row in rows]
        yield from text_table(PROFILE_COLUMNS[:_IN_TEXT], short, words=_WORDS)
    if left := len(profile.layers) - len(rows):
        yield f"... and {left} more"


def profile_html(profile: Profiled) -> str:
    """A profile as a notebook shows it; layers in red do not run in int8."""
    rows, layers = profile_rows(profile, MOST_LINES), sorted(profile.layers, key=lambda layer: -layer.ms)
    longest = layers[0].ms if layers else 0.0
    bars = [
        Bar(layer.name, layer.ms / longest if longest else 0.0, f"{layer.ms:.3f} ms", layer.why_not_int8 is not None)
        for layer in layers[:_IN_PICTURE]
    ]
    left = len(layers) - len(rows)
    return brief_html(
        f"Profile of {len(layers)} layers: {profile_summary(profile)}",
        [
            bars_svg(bars, label="Time by layer; red: not in int8"),
            html_table(PROFILE_COLUMNS, rows, words=_WORDS),
            *([f"<p>... and {left} more</p>"] if left else []),
        ],
    )
