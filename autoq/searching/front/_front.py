"""The Pareto front of accuracy drop against cost, a ratio of latencies or sizes, where dominance needs evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from autoq.core import BudgetError, shown
from autoq.evaluation.scoring import Outcome
from autoq.searching.front._area import area
from autoq.searching.records import TrialRecord, TrialState, evaluation_of, preference


def objectives(record: TrialRecord) -> tuple[float, float]:
    """Accuracy drop and cost of an evaluated trial, both to be minimized."""
    evaluation = evaluation_of(record)
    return evaluation.accuracy.drop.value, evaluation.cost.value


class Front(Sequence[TrialRecord]):
    """Records that no other record is shown to beat, those of the least cost first: the fastest, or the smallest.

    One record beats another if it is at least as good in both point estimates and shown to be better in one of them,
    where the intervals do not overlap. A record whose point estimates are a little worse may therefore stay: it is
    `tied`. `staircase` leaves such records out.

    If some records were measured together in a closing session, only these records are considered.

    Args:
        records: Any trials; those that failed, miss the budget or were given up are not considered.
    """

    def __init__(self, records: Iterable[TrialRecord]) -> None:
        self.records = tuple(records)
        eligible = [r for r in self.records if _is_eligible(r)]
        finalists = [r for r in eligible if r.remeasured]
        self._members = _not_shown_worse(finalists or eligible)

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[TrialRecord]:
        return iter(self._members)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # int or slice, as Sequence has it
        return self._members[index]

    @property
    def staircase(self) -> tuple[TrialRecord, ...]:
        """Members that no other member beats by its point estimates, those of the least cost first."""
        steps: list[TrialRecord] = []
        for record in self._members:
            if not steps or objectives(record)[0] < objectives(steps[-1])[0]:
                steps.append(record)
        return tuple(steps)

    @property
    def tied(self) -> frozenset[int]:
        """Numbers of members that the evidence does not separate from another one, in either objective."""
        separated = np.any([_shown_better(m) | _shown_better(m).T for m in _intervals(self._members)], axis=0)
        return frozenset(r.number for r, row in zip(self._members, separated, strict=True) if row.sum() < len(self) - 1)

    def alike(self, first: TrialRecord | None = None) -> tuple[tuple[TrialRecord, ...], ...]:
        """The members in groups. Members of a group differ only in their recipes, and are not shown to differ.

        Args:
            first: Member that stands for its group; otherwise the most accurate one does.

        Returns:
            The groups in the order of the front. In each, the member that stands for the group is the first.
        """
        left = sorted(self._members, key=lambda r: (first is None or r.number != first.number, *preference(r)))
        found: list[tuple[TrialRecord, ...]] = []
        while left:
            head, *others = left
            like = [r for r in others if _precisions(r) == _precisions(head) and not _are_separate(r, head)]
            found.append((head, *like))
            numbers = {record.number for record in like}
            left = [record for record in others if record.number not in numbers]
        places = {record.number: place for place, record in enumerate(self._members)}
        return tuple(sorted(found, key=lambda like: places[like[0].number]))

    def fastest(self, max_drop: float | None = None) -> TrialRecord:
        """The most accurate of the members that are not shown to be slower than the fastest one.

        Among equally accurate members, the faster one counts, then the smaller one, then the earlier one. On a front
        of accuracy against size, it is the smallest one.

        Args:
            max_drop: Largest drop of a member that is considered.

        Raises:
            BudgetError: No member meets it; the message names the closest.
        """
        within = [r for r in self._members if max_drop is None or objectives(r)[0] <= max_drop]
        if within:
            best = evaluation_of(within[0]).cost
            tied = [record for record in within if not best.below(evaluation_of(record).cost)]
            return min(tied, key=preference)
        if not self._members:
            msg = "the front is empty: no trial was evaluated and met the budget."
            raise BudgetError(msg)
        closest = min(self._members, key=lambda r: objectives(r)[0])
        nearest = f"trial {closest.number} with {shown(objectives(closest)[0], beside=max_drop)}"
        msg = f"no member of the front has a drop of at most {max_drop}: the closest is {nearest}."
        raise BudgetError(msg)

    def knee(self) -> TrialRecord:
        """The step farthest below the line between the front's two ends, both axes scaled to that line's extent.

        Raises:
            BudgetError: The front is empty.
        """
        first, steps = self.fastest(), self.staircase
        if len(steps) < 3:
            return first
        points = np.array([objectives(r) for r in steps])
        extent = np.ptp(points, axis=0)
        scaled = (points - points.min(axis=0)) / np.where(extent > 0, extent, 1)
        return steps[int(np.argmin(scaled.sum(axis=1)))]

    def hypervolume(self, reference: tuple[float, float]) -> float:
        """Area between the front and a reference point (drop, cost) that is worse in both."""
        points = np.array([objectives(record) for record in self.staircase], np.float64).reshape(-1, 2)
        return area(points, np.array(reference, np.float64))


def _precisions(record: TrialRecord) -> tuple[object, bool]:
    """What members that are alike have in common: what they compute in, and whether they were tuned."""
    return record.plan.computes_in, record.tuned is not None


def _is_eligible(record: TrialRecord) -> bool:
    if record.state is not TrialState.COMPLETE or not record.feasible:
        return False
    return evaluation_of(record).accuracy.outcome not in {Outcome.INFEASIBLE, Outcome.DOMINATED}


def _are_separate(one: TrialRecord, other: TrialRecord) -> bool:
    """Whether one record is shown to be better than the other in an objective."""
    return any(bool(_shown_better(m).any()) for m in _intervals((one, other)))


def _not_shown_worse(records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """Records that no other is shown to beat, sorted by cost, then by drop."""
    if not records:
        return ()
    intervals = _intervals(records)
    no_worse = np.all([m[:, None, 0] <= m[None, :, 0] for m in intervals], axis=0)
    beats = no_worse & np.any([_shown_better(m) for m in intervals], axis=0)
    kept = [record for record, beaten in zip(records, beats.any(axis=0), strict=True) if not beaten]
    return tuple(sorted(kept, key=lambda r: (objectives(r)[1], objectives(r)[0], r.number)))


def _intervals(records: Sequence[TrialRecord]) -> list[NDArray[np.float64]]:
    """Value, low and high of each record's drop, and of its cost, [n, 3] each."""
    evaluations = [evaluation_of(record) for record in records]
    pairs = ([e.accuracy.drop for e in evaluations], [e.cost for e in evaluations])
    return [np.array([(x.value, x.low, x.high) for x in row]).reshape(-1, 3) for row in pairs]


def _shown_better(intervals: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the interval of each row lies wholly below that of each column, [n, n]."""
    return np.asarray(intervals[:, None, 2] < intervals[None, :, 1])
