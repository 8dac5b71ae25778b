"""The trials of a search as one table, which everything that is shown or written of them is made from.

Terminal, picture, page, CSV, data frame and MLflow tell of the same members of the front, in the same order, with the
same figures, because none of them asks the records anything: `_figures` has the numbers of a row by name, `_texts` its
words for people, and `_chart` where it is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from autoq.core import brief_repr
from autoq.evaluation.scoring import Accuracy
from autoq.searching.front._choice import Rule, choose
from autoq.searching.front._front import Front
from autoq.searching.front._info import SearchInfo
from autoq.searching.records import Limits, TrialRecord, TrialState


class Place(StrEnum):
    """Where a trial stands."""

    FRONT = "front"
    WITHIN = "within the budget"
    OUTSIDE = "outside the budget"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """A trial and where it stands among the others.

    Attributes:
        record: The trial.
        place: On the front, within the budget beside it, outside of the budget, or nowhere.
        rank: On the front, 1 is the fastest; None beside it.
        chosen: Whether it is what the search recommends.
        tied: Whether it is on the front and the evidence does not separate it from another member.
        is_step: Whether it is on the front and no member beats it by its point estimates.
        like: On the front, number of the member that stands for all with its precisions that the evidence does not
            separate from it; its own where that is itself; None beside the front.
        stands_for: Numbers of the others that it stands for.
        held_out: Score on data that the search never saw; None without.
    """

    record: TrialRecord
    place: Place
    rank: int | None = None
    chosen: bool = False
    tied: bool = False
    is_step: bool = False
    like: int | None = None
    stands_for: tuple[int, ...] = ()
    held_out: Accuracy | None = None

    __repr__ = brief_repr

    @classmethod
    def alone(cls, record: TrialRecord) -> Self:
        """A trial by itself, of which is not asked where it stands among others."""
        return cls(record=record, place=_place(record, on_front=False))

    @property
    def number(self) -> int:
        """Of the trial."""
        return self.record.number

    @property
    def is_head(self) -> bool:
        """Whether it is on the front and stands for itself."""
        return self.like == self.number


@dataclass(frozen=True, slots=True)
class TrialTable:
    """All trials of a search.

    Attributes:
        rows: By number.
        limits: Of the search.
    """

    rows: tuple[TrialRow, ...]
    limits: Limits = field(default_factory=Limits)

    __repr__ = brief_repr

    @classmethod
    def of(
        cls,
        front: Front,
        info: SearchInfo | None = None,
        held_out: Mapping[int, Accuracy] = MappingProxyType({}),
    ) -> Self:
        """The table of a front and of the records that it was made of.

        Args:
            front: The front.
            info: Of the search; without it there are no limits, and no model is the chosen one.
            held_out: By number, scores on data that the search never saw.
        """
        chosen = None if info is None else chosen_of(front, info.choose)
        ranks = {record.number: rank for rank, record in enumerate(front, 1)}
        alike = {row[0].number: tuple(sorted(record.number for record in row[1:])) for row in front.alike(chosen)}
        heads = {number: head for head, others in alike.items() for number in (head, *others)}
        steps, tied = {record.number for record in front.staircase}, front.tied
        rows = [
            TrialRow(
                record=record,
                place=_place(record, on_front=record.number in ranks),
                rank=ranks.get(record.number),
                chosen=chosen is not None and record.number == chosen.number,
                tied=record.number in tied,
                is_step=record.number in steps,
                like=heads.get(record.number),
                stands_for=alike.get(record.number, ()),
                held_out=held_out.get(record.number),
            )
            for record in sorted(front.records, key=lambda record: record.number)
        ]
        return cls(tuple(rows), Limits() if info is None else info.limits)

    @property
    def front(self) -> tuple[TrialRow, ...]:
        """The members of the front, fastest first."""
        return tuple(sorted((row for row in self.rows if row.rank is not None), key=lambda row: row.rank or 0))

    @property
    def heads(self) -> tuple[TrialRow, ...]:
        """Of members of the front that differ in their recipes alone and are tied, the one that stands for them."""
        return tuple(row for row in self.front if row.is_head)

    @property
    def chosen(self) -> TrialRow | None:
        """What the search recommends; None where no quantized model keeps the limits."""
        return next((row for row in self.rows if row.chosen), None)

    @property
    def is_closed(self) -> bool:
        """Whether the figures of the front are those of the closing session."""
        return any(row.record.remeasured for row in self.front)


def chosen_of(front: Front, rule: Rule) -> TrialRecord | None:
    """The member of a front that a rule prefers; None where no quantized trial keeps the limits.

    The float model alone is nothing to choose. It is the chosen one where others keep the limits, and none is better.
    """
    within = any(r.state is TrialState.COMPLETE and r.feasible and not r.is_baseline for r in front.records)
    return choose(front, rule) if within and len(front) else None


def _place(record: TrialRecord, *, on_front: bool) -> Place:
    if on_front:
        return Place.FRONT
    if record.evaluation is None or record.state is not TrialState.COMPLETE:
        return Place.FAILED
    return Place.WITHIN if record.feasible else Place.OUTSIDE
