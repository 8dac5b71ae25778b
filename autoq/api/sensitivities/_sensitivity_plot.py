"""The sensitivity of units as a picture."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from autoq.api.sensitivities._unit_sensitivity import MeasuredUnits, how_it_is_spared, what_is_done

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_RED, _BLUE, _BLACK = "#d7603c", "#1f6fb4", "#202124"
_ROW_INCHES, _REST_INCHES = 0.28, 1.6
_LONGEST_NAME = 44
# Decades of the axis. Units without distortion and units that fail have no place on a logarithmic scale.
_DECADES = 6


def plot_sensitivity(report: MeasuredUnits, ax: Axes | None = None, *, top: int) -> Axes:
    """Draws the most sensitive units as bars, and the distortion that is left with them in float as a curve.

    Args:
        report: The report to draw.
        ax: The axes to draw on; None makes a figure.
        top: Number of units.

    Returns:
        The axes of the bars: distortion on a logarithmic scale, with the most sensitive unit on top. The curve has axes
        of its own over them.
    """
    from matplotlib.ticker import NullFormatter

    units = report.units[:top]
    if ax is None:
        ax = _figure(len(units)).add_subplot()
    finite = [unit.distortion for unit in units if 0 < unit.distortion < math.inf]
    highest = max(finite, default=1.0)
    lowest = 10.0 ** math.floor(math.log10(max(min(finite, default=highest), highest * 10.0**-_DECADES) / 2))
    places = range(len(units))
    fails = [math.isinf(unit.distortion) for unit in units]
    ax.barh(
        places,
        [highest * 2 if failed else unit.distortion for unit, failed in zip(units, fails, strict=True)],
        color=[_RED if failed else _BLUE for failed in fails],
        height=0.7,
    )
    for place, failed in enumerate(fails):
        if failed:
            ax.annotate("fails quantized", (lowest, place), xytext=(4, 0), textcoords="offset points", va="center")
    if 0 < report.whole < math.inf:
        ax.axvline(report.whole, color=_BLACK, linewidth=1, linestyle="--")
        ax.annotate(
            f"all units {what_is_done(report)}",
            (report.whole, 0),
            xycoords=("data", "axes fraction"),
            xytext=(-3, 4),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="bottom",
            fontsize=8,
        )
        highest = max(highest, report.whole)
    ax.set_xscale("log")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlim(lowest, highest * 2)
    ax.set_yticks(places, [_short(unit.unit) for unit in units], fontsize=8)
    ax.set_ylim(len(units) - 0.5, -0.5)
    ax.set_xlabel(f"distortion of the outputs ({report.measure}) with the unit alone {what_is_done(report)}")
    ax.grid(visible=True, axis="x", alpha=0.25)

    over = ax.twiny()
    shares = [min(unit.left, 1.0) for unit in units]
    over.plot(shares, places, color=_RED, marker="o", markersize=3, linewidth=1)
    over.set_xlim(0, 1.05)
    over.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    over.set_xlabel(
        f"predicted distortion left with the unit and those above it {how_it_is_spared(report)}", color=_RED
    )
    over.tick_params(axis="x", colors=_RED)
    return ax


def picture_of_sensitivity(report: MeasuredUnits, kind: str, *, top: int) -> bytes:
    """The drawing of `plot_sensitivity` as the content of a file.

    Args:
        report: The report to draw.
        kind: "png", "svg" or "pdf".
        top: Number of units.
    """
    figure = _figure(min(len(report.units), top))
    plot_sensitivity(report, figure.add_subplot(), top=top)
    content = io.BytesIO()
    figure.savefig(content, format=kind, dpi=130)
    return content.getvalue()


def _figure(rows: int) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(9, _REST_INCHES + _ROW_INCHES * rows), layout="constrained")


def _short(name: str) -> str:
    """The end of a long name: ends tell units apart."""
    return name if len(name) <= _LONGEST_NAME else f"…{name[1 - _LONGEST_NAME :]}"
