"""The trials of a search as one table. All outputs are made from this table.

Terminal, picture, page, CSV, data frame and MLflow show the same members of the front in the same order with the same
figures, because none of them reads the records. The room `shown` makes them: `_figures` gives the numbers of a row by
name, `_texts` its words for people, and `_chart` its place in the picture.
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
    """Where a trial stands among the others."""

    FRONT = "front"
    WITHIN = "within the budget"
    OUTSIDE = "outside the budget"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRow:
    """One trial, and where it stands among the others.

    Attributes:
        record: The trial.
        place: On the front, within the budget but not on the front, outside the budget, or failed.
        rank: Rank on the front, 1 is the fastest; None for a trial that is not on the front.
        chosen: Whether the search recommends this trial.
        tied: Whether the trial is on the front, and the evidence does not separate it from another member.
        is_step: Whether the trial is on the front, and no member beats it by its point estimates.
        like: Number of the member that stands for this one: both have the same precisions, and the evidence does not
            separate them. A member that stands for itself has its own number. None for a trial that is not on the
            front.
        stands_for: Numbers of the other members that this one stands for.
        held_out: Score on data that the search never saw; None without such data.
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
        """The row of one trial by itself, without its place among others."""
        return cls(record=record, place=_place(record, on_front=False))

    @property
    def number(self) -> int:
        """Number of the trial."""
        return self.record.number

    @property
    def is_head(self) -> bool:
        """Whether the trial is on the front and stands for itself."""
        return self.like == self.number


@dataclass(frozen=True, slots=True)
class TrialTable:
    """All trials of a search.

    Attributes:
        rows: One for each trial, sorted by number.
        limits: Limits of the search.
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
        """The table of a front, with all records that the front was made of.

        Args:
            front: The front.
            info: Facts of the search; None knows no limits and chooses no model.
            held_out: Scores on data that the search never saw, by number of the trial.
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
        """The members of the front that stand for themselves, and perhaps for others with other recipes."""
        return tuple(row for row in self.front if row.is_head)

    @property
    def chosen(self) -> TrialRow | None:
        """The trial that the search recommends; None where no quantized model keeps the limits."""
        return next((row for row in self.rows if row.chosen), None)

    @property
    def is_closed(self) -> bool:
        """Whether a closing session measured the front."""
        return any(row.record.remeasured for row in self.front)


def chosen_of(front: Front, rule: Rule) -> TrialRecord | None:
    """The member of a front that a rule prefers; None where no quantized trial keeps the limits.

    The float model is chosen only if quantized trials keep the limits too, and none of them is better.
    """
    within = any(r.state is TrialState.COMPLETE and r.feasible and not r.is_baseline for r in front.records)
    return choose(front, rule) if within and len(front) else None


def _place(record: TrialRecord, *, on_front: bool) -> Place:
    if on_front:
        return Place.FRONT
    if record.evaluation is None or record.state is not TrialState.COMPLETE:
        return Place.FAILED
    return Place.WITHIN if record.feasible else Place.OUTSIDE
