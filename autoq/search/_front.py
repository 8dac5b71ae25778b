"""The Pareto front of accuracy drop against latency ratio, where dominance needs evidence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autoq.core import BudgetError
from autoq.evaluation import Evaluation
from autoq.search._records import TrialRecord, TrialState
from autoq.search._serial import record_to_dict

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def objectives(record: TrialRecord) -> tuple[float, float]:
    """Accuracy drop and latency ratio of an evaluated trial, both to be minimized."""
    evaluation = _evaluated(record)
    return evaluation.accuracy.drop.value, evaluation.latency.ratio.value


def _evaluated(record: TrialRecord) -> Evaluation:
    if record.evaluation is None:
        msg = f"trial {record.number} was not evaluated: {record.error}"
        raise ValueError(msg)
    return record.evaluation


class ParetoFront(Sequence[TrialRecord]):
    """Records that no other record beats in both objectives, fastest first.

    A record is left out only if another one is at least as good in both point estimates and better in one. Members
    whose intervals overlap a neighbour's in both objectives are `tied`: the evidence does not separate them.

    Args:
        records: Any trials; those that failed, are duplicates or miss the budget are not considered.
    """

    def __init__(self, records: Iterable[TrialRecord]) -> None:
        self.records = tuple(records)
        eligible = [r for r in self.records if r.state is TrialState.COMPLETE and r.feasible]
        self._members = _non_dominated(eligible)

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[TrialRecord]:
        return iter(self._members)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # int or slice, as Sequence has it
        return self._members[index]

    @property
    def tied(self) -> frozenset[int]:
        """Numbers of members that the evidence does not separate from a neighbour on the front."""
        numbers: set[int] = set()
        for a, b in zip(self._members, self._members[1:], strict=False):
            if not _separated(a, b):
                numbers |= {a.number, b.number}
        return frozenset(numbers)

    def fastest(self, max_drop: float | None = None) -> TrialRecord:
        """The member with the smallest latency ratio whose drop is at most `max_drop`.

        Raises:
            BudgetError: No member meets it; the message names the closest.
        """
        for record in self._members:
            if max_drop is None or objectives(record)[0] <= max_drop:
                return record
        if not self._members:
            msg = "the front is empty: no trial was evaluated and met the budget."
            raise BudgetError(msg)
        closest = min(self._members, key=lambda r: objectives(r)[0])
        nearest = f"trial {closest.number} with {objectives(closest)[0]:.4f}"
        msg = f"no member of the front has a drop of at most {max_drop}: the closest is {nearest}."
        raise BudgetError(msg)

    def knee(self) -> TrialRecord:
        """The member farthest below the line between the front's two ends, both axes scaled to that line's extent.

        Raises:
            BudgetError: The front is empty.
        """
        first = self.fastest()
        if len(self) < 3:
            return first
        points = np.array([objectives(r) for r in self._members])
        extent = np.ptp(points, axis=0)
        scaled = (points - points.min(axis=0)) / np.where(extent > 0, extent, 1)
        return self._members[int(np.argmin(scaled.sum(axis=1)))]

    def hypervolume(self, reference: tuple[float, float]) -> float:
        """Area between the front and a reference point (drop, latency ratio) that is worse in both."""
        points = sorted(p for p in map(objectives, self._members) if p[0] < reference[0] and p[1] < reference[1])
        area, ceiling = 0.0, reference[1]
        for drop, ratio in points:
            if ratio < ceiling:
                area += (reference[0] - drop) * (ceiling - ratio)
                ceiling = ratio
        return area

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws every evaluated trial and the front, with intervals, on matplotlib axes."""
        from autoq.search._plot import plot_front

        return plot_front(self, ax)

    def save(self, path: str | Path) -> Path:
        """Writes the members as JSON."""
        path = Path(path)
        path.write_text(json.dumps([record_to_dict(r) for r in self._members], indent=1) + "\n", "utf-8")
        return path


def _non_dominated(records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """Sweeps by latency ratio and keeps each record that improves the smallest drop seen so far."""
    front: list[TrialRecord] = []
    for record in sorted(records, key=lambda r: (objectives(r)[1], objectives(r)[0], r.number)):
        if not front or objectives(record)[0] < objectives(front[-1])[0]:
            front.append(record)
    return tuple(front)


def _separated(a: TrialRecord, b: TrialRecord) -> bool:
    """Whether the intervals of two records are disjoint in at least one objective."""
    x, y = _evaluated(a), _evaluated(b)
    pairs = [(x.accuracy.drop, y.accuracy.drop), (x.latency.ratio, y.latency.ratio)]
    return any(p.below(q) or q.below(p) for p, q in pairs)
