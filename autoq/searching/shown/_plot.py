"""The picture of a front, drawn by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoq.core import Estimate
from autoq.searching.front import TrialTable
from autoq.searching.shown._chart import CHOSEN, Chart, Kind, Mark
from autoq.searching.shown._texts import DROP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from autoq.searching.front import Front

_GREY, _RED, _BLUE, _BLACK = "#8a9096", "#b8431c", "#1a66a8", "#202124"
_COLORS = {Kind.OUTSIDE: _RED, Kind.WITHIN: _GREY, Kind.LIKE: _BLUE, Kind.FRONT: _BLUE, Kind.FLOAT: _BLACK}


def plot_table(table: TrialTable, ax: Axes | None = None, *, behind: Front | None = None) -> Axes:
    """Draws every measured trial, and the front with its intervals.

    Args:
        table: Table of the search.
        ax: The axes; None makes new axes in a figure of their own.
        behind: The front of another, longer search of the same model, for comparison.

    Returns:
        The axes: speed-up over the float model to the right, accuracy drop upwards.
    """
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(8, 5), layout="constrained").add_subplot()
    chart = Chart.of(table)
    if behind is not None and len(behind):
        _draw_behind(ax, TrialTable.of(behind))
    for kind in Kind:
        marks = [mark for mark in chart.marks if mark.kind is kind]
        if marks:
            _draw_marks(ax, kind, marks)
    if chart.steps:
        ax.step(*zip(*chart.steps, strict=True), where="post", color=_BLUE, alpha=0.4, zorder=2)
    if (chosen := chart.chosen) is not None:
        name = f"{CHOSEN}: trial {chosen.row.number}"
        ax.scatter(*chosen.point, s=150, facecolors="none", edgecolors=_BLACK, linewidths=1.5, zorder=5, label=name)
    for mark in chart.marks:
        if mark.has_arms:
            number = str(mark.row.number)
            ax.annotate(
                number,
                mark.point,
                xytext=(6, 6),
                textcoords="offset points",
                fontsize=8,
                color=_BLUE,
                annotation_clip=True,
            )
    _draw_limits(ax, chart)
    if behind is None:
        # With another front behind it, the picture has to show both.
        ax.set_xlim(*chart.x)
        ax.set_ylim(*chart.y)
        ax.set_title(chart.note, loc="right", fontsize=9, color=_GREY)
    ax.set_xlabel(chart.title)
    ax.set_ylabel(DROP)
    ax.grid(visible=True, alpha=0.25)
    handles, labels = ax.get_legend_handles_labels()
    # Below the axes, the legend hides nothing.
    below = (0.5, -0.12)
    ax.legend(handles[::-1], labels[::-1], loc="upper center", bbox_to_anchor=below, ncols=3, frameon=False, fontsize=9)
    return ax


def _draw_behind(ax: Axes, table: TrialTable) -> None:
    chart = Chart.of(table)
    xs, ys = zip(*chart.steps, strict=True)
    ax.step(xs, ys, where="post", color=_GREY, linewidth=5, alpha=0.35, zorder=1)
    label = f"front after {len(chart.marks)} candidates"
    ax.scatter(xs, ys, s=60, color=_GREY, alpha=0.35, zorder=1, label=label)


def _draw_marks(ax: Axes, kind: Kind, marks: Sequence[Mark]) -> None:
    xs, ys = zip(*(mark.point for mark in marks), strict=True)
    color, armed = _COLORS[kind], [mark for mark in marks if mark.has_arms]
    shape, size = ("s", 40) if kind is Kind.FLOAT else ("o", 36) if kind is Kind.FRONT else ("o", 18)
    ax.scatter(xs, ys, s=size, marker=shape, color=color, linewidths=0, zorder=4 if armed else 3, label=str(kind))
    if armed:
        xs, ys = zip(*(mark.point for mark in armed), strict=True)
        gains, drops = [mark.gain for mark in armed], [mark.drop for mark in armed]
        # The points are drawn already.
        ax.errorbar(
            xs, ys, xerr=_arms(gains), yerr=_arms(drops), fmt="none", ecolor=color, elinewidth=1, capsize=2, zorder=3
        )


def _draw_limits(ax: Axes, chart: Chart) -> None:
    """Draws each limit as a line. Its name stands at the end that is far from the fast and accurate models."""
    for line in chart.lines:
        text, (low, high) = chart.name(line), chart.x if line.axis == "x" else chart.y
        at = min(max(line.value, low), high)
        if chart.shows(line):
            (ax.axhline if line.axis == "y" else ax.axvline)(at, color=_RED, linewidth=1, linestyle="--")
        if line.axis == "y":
            shift = (4, -4 if at == high else 3)
            named = ax.annotate(text, (0, at), shift, xycoords=("axes fraction", "data"), textcoords="offset points")
            named.set(color=_RED, va="top" if at == high else "bottom")
        else:
            named = ax.annotate(text, (at, 1), (-3, -4), xycoords=("data", "axes fraction"), textcoords="offset points")
            named.set(color=_RED, rotation=90, ha="left" if at == low else "right", va="top")


def _arms(estimates: Sequence[Estimate]) -> list[list[float]]:
    """Lengths of the intervals below and above the points; 0 where an interval is unknown."""
    return [
        [e.value - e.low if e.known else 0.0 for e in estimates],
        [e.high - e.value if e.known else 0.0 for e in estimates],
    ]
