"""The front as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoq.core import Estimate
from autoq.search._limits import Limits
from autoq.search._records import TrialRecord, TrialState, evaluation_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from autoq.search._front import ParetoFront

_GREY, _RED, _BLUE, _BLACK = "#9aa0a6", "#d7603c", "#1f6fb4", "#202124"


def plot_front(
    front: ParetoFront, ax: Axes | None = None, *, limits: Limits | None = None, behind: ParetoFront | None = None
) -> Axes:
    """Draws every measured trial, and the front with its intervals.

    Args:
        front: What to draw.
        ax: Where to; new axes of a figure of its own where None.
        limits: Those of drop and latency are drawn as lines.
        behind: The front of another search of the same model, a longer one, to compare with.

    Returns:
        The axes: speed-up over the float model to the right, accuracy drop downwards, so that better is up and right.
    """
    if ax is None:
        from matplotlib.figure import Figure

        ax = Figure(figsize=(8, 5), layout="constrained").add_subplot()
    if behind is not None and len(behind):
        steps = [_point(record) for record in behind.staircase]
        xs, ys = zip(*steps, strict=True)
        trials = sum(r.state is TrialState.COMPLETE for r in behind.records)
        ax.step(xs, ys, where="post", color=_GREY, linewidth=5, alpha=0.35, zorder=1)
        ax.scatter(xs, ys, s=60, color=_GREY, alpha=0.35, zorder=1, label=f"front after {trials} candidates")
    measured = [r for r in front.records if r.state is TrialState.COMPLETE and r.evaluation is not None]
    members = {record.number for record in front}
    rest = [r for r in measured if r.number not in members and not r.is_baseline]
    for feasible, color, label in ((True, _GREY, "within the budget"), (False, _RED, "outside the budget")):
        points = [r for r in rest if r.feasible is feasible]
        if points:
            xs, ys = zip(*map(_point, points), strict=True)
            ax.scatter(xs, ys, s=18, color=color, alpha=0.7, label=label, linewidths=0)
    if len(front):
        _draw_members(ax, front)
    baseline = next((r for r in measured if r.is_baseline), None)
    if baseline is not None:
        ax.scatter(*_point(baseline), marker="s", s=40, color=_BLACK, zorder=4, label="float model")
    if limits is not None:
        _draw_limits(ax, limits)
    ax.invert_yaxis()
    ax.set_xlabel("speed-up over the float model (times)")
    ax.set_ylabel("accuracy drop (metric's unit)")
    ax.grid(visible=True, alpha=0.25)
    ax.legend(frameon=False, loc="lower left")
    return ax


def _draw_limits(ax: Axes, limits: Limits) -> None:
    if (most := limits.max_drop) is not None:
        ax.axhline(most, color=_RED, linewidth=1, linestyle="--")
        ax.annotate(f"budget {most:g}", (1, most), xycoords=("axes fraction", "data"), ha="right", va="top", color=_RED)
    if limits.max_ratio is not None:
        ax.axvline(1 / limits.max_ratio, color=_RED, linewidth=1, linestyle="--")
        where = (1 / limits.max_ratio, 1)
        text = f" {limits.max_latency_ms:.4g} ms"
        ax.annotate(text, where, xycoords=("data", "axes fraction"), ha="left", va="top", color=_RED)


def _draw_members(ax: Axes, front: ParetoFront) -> None:
    """Intervals and number of one of each that differ in their recipes alone; the others are dots."""
    rows = front.alike()
    heads, others = [row[0] for row in rows], [record for row in rows for record in row[1:]]
    if others:
        xs, ys = zip(*map(_point, others), strict=True)
        ax.scatter(xs, ys, s=18, color=_BLUE, zorder=3, linewidths=0)
    speeds, drops = zip(*((_speed(record), _drop(record)) for record in heads), strict=True)
    xs, ys = tuple(speed.value for speed in speeds), tuple(drop.value for drop in drops)
    ax.errorbar(
        xs,
        ys,
        xerr=_arms(speeds),
        yerr=_arms(drops),
        fmt="o",
        markersize=6,
        color=_BLUE,
        elinewidth=1,
        capsize=2,
        zorder=3,
        label="Pareto front, 95% intervals",
    )
    steps = [_point(record) for record in front.staircase]
    ax.step(*zip(*steps, strict=True), where="post", color=_BLUE, alpha=0.4, zorder=2)
    for record, x, y in zip(heads, xs, ys, strict=True):
        ax.annotate(str(record.number), (x, y), xytext=(5, 5), textcoords="offset points", fontsize=8, color=_BLUE)


def _arms(estimates: tuple[Estimate, ...]) -> list[list[float]]:
    """Lengths below and above the points; none where an interval is not known."""
    return [
        [e.value - e.low if e.known else 0.0 for e in estimates],
        [e.high - e.value if e.known else 0.0 for e in estimates],
    ]


def _point(record: TrialRecord) -> tuple[float, float]:
    return _speed(record).value, _drop(record).value


def _speed(record: TrialRecord) -> Estimate:
    return evaluation_of(record).latency.speedup


def _drop(record: TrialRecord) -> Estimate:
    return evaluation_of(record).accuracy.drop
