"""The rules by which one model of a front is chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autoq.core import ConfigError, quoted
from autoq.evaluation.scoring import paired_drop
from autoq.searching.records import Limits, TrialRecord, TrialState, evaluation_of, preference

if TYPE_CHECKING:
    from autoq.searching.front._front import Front

# A name, or criteria in the order of their importance.
Rule = str | tuple[str, ...]

CRITERIA = ("accuracy", "latency", "size")  # in the order of `preference`
# The criteria of each name, the most important first.
_ORDERS = {
    "fastest": ("latency", "accuracy"),
    "accurate": ("accuracy", "latency"),
    "smallest": ("size", "latency"),
}
_KNEE = "knee"
# Sizes are known exactly. A difference below this share makes none to a person who stores the models.
_SAME_SIZE = 0.01


def parse_rule(rule: str | Sequence[str]) -> Rule:
    """A rule as a user writes it: a name, or a list of criteria.

    Raises:
        ConfigError: It is neither.
    """
    if isinstance(rule, str) and rule in {*_ORDERS, _KNEE}:
        return rule
    if isinstance(rule, list | tuple) and rule and all(rule.count(part) == 1 and part in CRITERIA for part in rule):
        return tuple(rule)
    msg = (
        f"choose is {quoted(rule)}: write {', '.join(map(repr, _ORDERS))} or {_KNEE!r}, or a list of different ones of "
        f"{', '.join(map(repr, CRITERIA))}, the most important first."
    )
    raise ConfigError(msg)


def choose(front: Front, rule: Rule = "fastest") -> TrialRecord:
    """The model of a front that a rule prefers.

    1. "fastest": the fastest; among those not shown to be slower, the most accurate.
    2. "accurate": the most accurate; among those not shown to be less accurate, the fastest.
    3. "smallest": the smallest; among those not larger by more than 1%, the fastest.
    4. "knee": the model where the front bends most, as `Front.knee` tells.
    5. Criteria in order. Each criterion but the last removes the models that are shown to be worse than the best one.
       The last criterion decides by its point estimate.

    Two latencies are separate if their intervals do not overlap. Two accuracies are separate if the interval of their
    paired difference does not hold 0; it is taken on the samples that both were scored on. Without such samples,
    accuracies are compared as latencies are. Where an interval is unknown, the point estimates decide.

    Args:
        front: The front. Its members keep the limits of the search.
        rule: As `parse_rule` gives it.

    Raises:
        BudgetError: The front is empty.
        ConfigError: There is no such rule.
    """
    rule = parse_rule(rule)
    if rule == _KNEE or not len(front):
        return front.knee()
    return _narrowed(list(front), criteria_of(rule))[0]


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Why a member of a front was not chosen.

    Attributes:
        criterion: The criterion by which the member is worse than the chosen one; "knee" where that rule decided.
        shown: Whether the evidence shows that it is worse; otherwise the point estimates decided.
        equal_by: The criteria before this one. By none of them is the member shown to be worse.
    """

    criterion: str
    shown: bool
    equal_by: tuple[str, ...]


def passed_over(front: Front, rule: Rule = "fastest") -> dict[int, PassedOver]:
    """Why each other member was not chosen, by its number.

    Raises:
        BudgetError: The front is empty.
        ConfigError: There is no such rule.
    """
    rule, chosen = parse_rule(rule), choose(front, rule)
    if rule == _KNEE:
        return {r.number: PassedOver(_KNEE, shown=False, equal_by=()) for r in front if r.number != chosen.number}
    return _narrowed(list(front), criteria_of(rule))[1]


def criteria_of(rule: Rule) -> tuple[str, ...]:
    """The criteria of a rule, the most important first; none for "knee"."""
    if rule == _KNEE:
        return ()
    return _ORDERS[rule] if isinstance(rule, str) else rule


def _narrowed(left: list[TrialRecord], criteria: Sequence[str]) -> tuple[TrialRecord, dict[int, PassedOver]]:
    """The record that the criteria choose, and why each other record was not chosen, by its number."""
    gone: dict[int, PassedOver] = {}
    *narrowing, last = criteria
    for place, criterion in enumerate(narrowing):
        best = min(left, key=lambda record: _values(record, criterion))
        worse = {record.number for record in left if _shown_better(best, record, criterion)}
        gone |= {number: PassedOver(criterion, shown=True, equal_by=tuple(criteria[:place])) for number in worse}
        left = [record for record in left if record.number not in worse]
    chosen = min(left, key=lambda record: _values(record, last))
    others = [record.number for record in left if record is not chosen]
    return chosen, gone | {number: PassedOver(last, shown=False, equal_by=tuple(narrowing)) for number in others}


def closest(records: Iterable[TrialRecord], limits: Limits) -> TrialRecord | None:
    """The quantized trial that is closest to keeping the limits, or the most accurate one that keeps them.

    The closest trial crosses the fewest limits; among equal ones, it exceeds them by the smallest share in sum. None
    where no quantized trial was measured.
    """
    quantized = [record for record in records if record.state is TrialState.COMPLETE and not record.is_baseline]
    return min(
        quantized,
        key=lambda record: (*limits.shortfall(evaluation_of(record)), *_values(record, "accuracy")),
        default=None,
    )


def _values(record: TrialRecord, criterion: str) -> tuple[float, ...]:
    """Sort key of a record: its value by the criterion, then by all criteria, which decide between equal ones."""
    values = preference(record)
    return values[CRITERIA.index(criterion)], *values


def _shown_better(best: TrialRecord, record: TrialRecord, criterion: str) -> bool:
    one, other = evaluation_of(best), evaluation_of(record)
    if criterion == "size":
        return other.size_bytes > (1 + _SAME_SIZE) * one.size_bytes
    if criterion == "latency":
        return one.latency.ratio.below(other.latency.ratio)
    scores, others = one.accuracy.scores, other.accuracy.scores
    if scores.size and scores.size == others.size:
        both = np.isfinite(scores) & np.isfinite(others)
        if both.any():
            difference = paired_drop(scores[both], others[both])
            return difference.low > 0 if difference.known else difference.value > 0
    if not (one.accuracy.drop.known and other.accuracy.drop.known):
        return one.accuracy.drop.value < other.accuracy.drop.value
    return one.accuracy.drop.below(other.accuracy.drop)
