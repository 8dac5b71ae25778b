"""Sentences that say why a model was chosen, why faster ones were not, and why numbers of trials are missing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from autoq.evaluation.scoring import Outcome
from autoq.searching.front import Front, PassedOver, Place, Rule, TrialRow, TrialTable, criteria_of, passed_over
from autoq.searching.records import Limits, evaluation_of
from autoq.searching.shown._texts import ACCURACY_DROP, SIZE, SPEED_UP

_BEST = {"accuracy": "most accurate", "latency": "fastest", "size": "smallest"}
_WORSE = {"accuracy": "less accurate", "latency": "slower", "size": "larger by more than 1%"}


def why_chosen(front: Front, table: TrialTable, rule: Rule) -> tuple[str, ...]:
    """Why the chosen model was chosen, and why the faster or smaller ones were not; empty where no model was chosen.

    Args:
        front: Front of the search.
        table: Table of the front.
        rule: The rule by which the model was chosen.
    """
    if (chosen := table.chosen) is None:
        return ()
    over = passed_over(front, rule)
    return _because(chosen, over, rule), *_better_ones(chosen, over, table)


def why_numbers_miss(numbers: Collection[int]) -> str | None:
    """Why numbers of trials are missing between others; None where none is.

    Args:
        numbers: Those of the trials that are shown.
    """
    if len(numbers) == max(numbers, default=-1) + 1:
        return None
    return (
        "numbers that are missing were proposals of models that had been measured, or that there was no time for: "
        "these cost no trial"
    )


def _because(chosen: TrialRow, over: Mapping[int, PassedOver], rule: Rule) -> str:
    name = f"Trial {chosen.number} is chosen because"
    if not over:
        return f"{name} it is the only one on the front."
    if not (criteria := criteria_of(rule)):
        return f"{name} the front bends most there."
    *before, last = criteria
    # The number of members that were left when the last criterion decided.
    left = 1 + sum(not passed.shown for passed in over.values())
    if not before or left == 1:
        return f"{name} it is the {_BEST[criteria[0]]} one on the front."
    equal = " or ".join(_WORSE[criterion] for criterion in before)
    return f"{name} it is the {_BEST[last]} of the {left} on the front that are not shown to be {equal}."


def _better_ones(chosen: TrialRow, over: Mapping[int, PassedOver], table: TrialTable) -> Iterator[str]:
    """A sentence for each reason, about the fastest or smallest trial that has it; the best of all comes first."""
    measured = [row for row in table.rows if row.place is not Place.FAILED]
    better = sorted((row for row in measured if _gain(row) > _gain(chosen)), key=_gain, reverse=True)
    is_timed = evaluation_of(chosen.record).size_ratio is None
    word, column = ("faster", SPEED_UP) if is_timed else ("smaller", SIZE)
    if not better:
        yield f"No other one is {word}."
    by_kind: dict[str, list[TrialRow]] = {}
    for row in better:
        by_kind.setdefault(_kind(row, over, table), []).append(row)
    for first, *others in by_kind.values():
        figure, why = column.text(first, table.limits), _why(first, chosen, over, table)
        figure = f"speed-up {figure}" if is_timed else f"{figure} MB"
        same = f" The same holds for {len(others)} more." if others else ""
        yield f"Trial {first.number} is {word} ({figure}) and is not chosen because {why}.{same}"


def _gain(row: TrialRow) -> float:
    return evaluation_of(row.record).gain.value


def _kind(row: TrialRow, over: Mapping[int, PassedOver], table: TrialTable) -> str:
    """A text that is equal for trials that were not chosen for the same reason."""
    if row.place is Place.FRONT:
        passed = over[row.number]
        return f"{passed.criterion}, {passed.shown}"
    if row.place is Place.OUTSIDE:
        crossed = table.limits.constraints(evaluation_of(row.record))
        return ", ".join(name for name, value in crossed.items() if value > 0)
    return _beside(row, table)


def _why(row: TrialRow, chosen: TrialRow, over: Mapping[int, PassedOver], table: TrialTable) -> str:
    if row.place is Place.FRONT:
        return _worse(row, chosen, over[row.number], table.limits)
    if row.place is Place.OUTSIDE:
        return f"it has {table.limits.crossed(evaluation_of(row.record))}, but the limits are {table.limits.text}"
    return _beside(row, table)


def _worse(row: TrialRow, chosen: TrialRow, passed: PassedOver, limits: Limits) -> str:
    """Why a member of the front was not chosen, with its figure beside that of the chosen one."""
    if passed.criterion not in _BEST:
        return "the front bends less there"
    column = {"accuracy": ACCURACY_DROP, "latency": SPEED_UP, "size": SIZE}[passed.criterion]
    figures = f"{column.title} {column.text(row, limits)} beside {column.text(chosen, limits)}"
    if passed.shown:
        return f"it is shown to be {_WORSE[passed.criterion]}: {figures}"
    unproven = "nothing shows that it is faster, and " if "latency" in passed.equal_by else ""
    return f"{unproven}it is not the {_BEST[passed.criterion]}: {figures}"


def _beside(row: TrialRow, table: TrialTable) -> str:
    """Why a trial that keeps the limits is not on the front."""
    accuracy = evaluation_of(row.record).accuracy
    if accuracy.outcome in {Outcome.DOMINATED, Outcome.INFEASIBLE}:
        return "it was given up: a part of the samples had shown that it cannot be on the front"
    if table.is_closed and not row.record.remeasured:
        return "it was not among the finalists, and only models that were measured together at the end are compared"
    cost = "latency" if evaluation_of(row.record).size_ratio is None else "size"
    return f"another one is at least as good in accuracy and {cost}, and is shown to be better in one of them"
