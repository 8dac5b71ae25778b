"""The marks and lines in the picture of a front: `_plot` draws them by matplotlib, `_svg` as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from autoq.core import Estimate, counted
from autoq.searching.front import Place, TrialRow, TrialTable
from autoq.searching.shown._texts import SPEEDUP, gain_title

# Other trials and limits may widen the picture by so many times the extent of the front. A picture of all that lies
# farther away would show the front as a dot.
_WIDENED = 1.0
_PADDING = 0.06
_TICKS = 8


class Kind(StrEnum):
    """The kind of a mark, by its name in the legend. Later kinds are drawn above earlier ones."""

    OUTSIDE = "outside the budget"
    WITHIN = "within the budget"
    LIKE = "on the front, like a numbered one"
    FRONT = "Pareto front, 95% intervals"
    FLOAT = "float model"


CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class Mark:
    """A trial in the picture.

    Attributes:
        row: The trial.
        kind: The kind of the mark.
        gain: Place along the axis to the right: the speed-up, or how many times smaller.
        drop: Place along the axis upwards.
        has_arms: Whether the intervals are drawn, with the number of the trial beside them.
    """

    row: TrialRow
    kind: Kind
    gain: Estimate
    drop: Estimate
    has_arms: bool

    @property
    def point(self) -> tuple[float, float]:
        """Gain and accuracy drop."""
        return self.gain.value, self.drop.value


@dataclass(frozen=True, slots=True)
class Line:
    """A limit in the picture.

    Attributes:
        axis: "x" for a limit of the gain, "y" for one of the accuracy drop.
        value: The gain or drop of the limit.
        text: Written beside the line.
    """

    axis: Literal["x", "y"]
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A front among the other trials: the gain to the right, accuracy drop upwards, as in every picture of a front.

    Attributes:
        marks: All marks, in the order in which they are drawn.
        steps: Points of the front's steps, those of the largest gain first.
        lines: Limits.
        x: Ends of the gains that are shown.
        y: Ends of the accuracy drops that are shown.
        title: What a gain is.
    """

    marks: tuple[Mark, ...]
    steps: tuple[tuple[float, float], ...]
    lines: tuple[Line, ...]
    x: tuple[float, float]
    y: tuple[float, float]
    title: str = SPEEDUP

    @classmethod
    def of(cls, table: TrialTable) -> Chart:
        """The picture of a table."""
        order = list(Kind)
        marks = sorted(_marks(table), key=lambda mark: (order.index(mark.kind), mark.row.number))
        lines = tuple(_lines(table))
        front = {row.number: row for row in table.front if row.is_step}
        steps = [mark.point for number in front for mark in marks if mark.row.number == number]
        core = [mark for mark in marks if mark.row.place is Place.FRONT or mark.kind is Kind.FLOAT] or marks
        ends = {
            axis: _ends(
                [value for mark in core for value in _reach(mark, axis)],
                [*(mark.point[place] for mark in marks), *(line.value for line in lines if line.axis == axis)],
            )
            for place, axis in enumerate(("x", "y"))
        }
        return cls(tuple(marks), tuple(steps), lines, ends["x"], ends["y"], gain_title(table))

    @property
    def chosen(self) -> Mark | None:
        """The mark of the trial that the search recommends."""
        return next((mark for mark in self.marks if mark.row.chosen), None)

    @property
    def beyond(self) -> tuple[Mark, ...]:
        """Marks that lie outside the picture."""
        (left, right), (low, high) = self.x, self.y
        return tuple(
            mark for mark in self.marks if not (left <= mark.point[0] <= right and low <= mark.point[1] <= high)
        )

    def shows(self, line: Line) -> bool:
        """Whether a limit lies within the picture; otherwise its name stands at the edge that is closest to it."""
        low, high = self._ends(line)
        return low <= line.value <= high

    def name(self, line: Line) -> str:
        """The text beside a limit. It is written along the line: its arrow up points left beside an upright line."""
        arrow = "" if self.shows(line) else " ↑" if (line.value < self._ends(line)[0]) is (line.axis == "x") else " ↓"
        return line.text + arrow

    def _ends(self, line: Line) -> tuple[float, float]:
        return self.x if line.axis == "x" else self.y

    @property
    def note(self) -> str:
        """A note on the trials that are not seen; empty where all are."""
        count = len(self.beyond)
        return f"{counted(count, 'trial')} beyond the edges" if count else ""


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two ends, at most nine of them."""
    raw = (high - low) / _TICKS
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 12) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _marks(table: TrialTable) -> Iterable[Mark]:
    for row in table.rows:
        if row.place is Place.FAILED or (evaluation := row.record.evaluation) is None:
            continue
        kind = Kind.OUTSIDE if row.place is Place.OUTSIDE else Kind.WITHIN
        if row.place is Place.FRONT:
            kind = Kind.FRONT if row.is_head else Kind.LIKE
        kind = Kind.FLOAT if row.record.is_baseline else kind
        yield Mark(row, kind, evaluation.gain, evaluation.accuracy.drop, row.is_head)


def _lines(table: TrialTable) -> Iterable[Line]:
    limits, float_bytes = table.limits, _float_bytes(table)
    if limits.max_drop is not None:
        yield Line("y", limits.max_drop, f"drop of at most {limits.max_drop:g}")
    if float_bytes is not None:
        if limits.max_size_bytes is not None:
            yield Line("x", float_bytes / limits.max_size_bytes, f"at most {limits.max_size_bytes / 1e6:.4g} MB")
    elif limits.max_ratio is not None:
        yield Line("x", 1 / limits.max_ratio, f"at most {limits.max_latency_ms:.4g} ms")


def _float_bytes(table: TrialTable) -> float | None:
    """Size of the float model, if accuracy is weighed against size."""
    found = (row.record.evaluation for row in table.rows)
    return next((e.size_bytes / e.size_ratio for e in found if e is not None and e.size_ratio is not None), None)


def _reach(mark: Mark, axis: str) -> tuple[float, ...]:
    estimate = mark.gain if axis == "x" else mark.drop
    return (estimate.low, estimate.value, estimate.high) if mark.has_arms and estimate.known else (estimate.value,)


def _ends(core: list[float], others: list[float]) -> tuple[float, float]:
    """The ends of an axis: it shows all core values, and the others that are not far away."""
    if not core:
        return 0.0, 1.0
    low, high = min(core), max(core)
    extent = (high - low) or abs(high) / 10 or 1.0
    near = [value for value in others if low - _WIDENED * extent <= value <= high + _WIDENED * extent]
    low, high = min([low, *near]), max([high, *near])
    padding = _PADDING * ((high - low) or extent)
    return low - padding, high + padding
