"""Which model of a front is the chosen one."""

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
# What the names stand for.
_ORDERS = {
    "fastest": ("latency", "accuracy"),
    "accurate": ("accuracy", "latency"),
    "smallest": ("size", "latency"),
}
_KNEE = "knee"
# Sizes are known exactly; models that differ by less are equally large to whoever has to store them.
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

    1. "fastest": the fastest; of those not shown to be slower, the most accurate.
    2. "accurate": the most accurate; of those not shown to be less accurate, the fastest.
    3. "smallest": the smallest; of those not larger by more than 1%, the fastest.
    4. "knee": where the front bends most, as `Front.knee` tells.
    5. Criteria in order: each looks at those that the evidence does not separate from the best by the one before, and
       the last one decides by its point estimate.

    Two latencies are separate where their intervals do not overlap; two accuracies where the interval of their paired
    difference, on the samples that both were scored on, does not hold 0, or without such samples as latencies are.
    Where an interval is unknown, nothing is proven, and the point estimates decide.

    Args:
        front: Its members are looked at, which keep the limits of the search.
        rule: As `parse_rule` gives it.

    Raises:
        BudgetError: The front is empty.
        ConfigError: There is no such rule.
    """
    rule = parse_rule(rule)
    fastest = front.fastest()
    if rule == _KNEE:
        return front.knee()
    if rule == "fastest":
        return fastest
    return _narrowed(list(front), criteria_of(rule))[0]


@dataclass(frozen=True, slots=True)
class PassedOver:
    """Where a member of a front was passed over.

    Attributes:
        criterion: The one by which it is worse than the chosen one; "knee" where that rule decided.
        shown: Whether the evidence shows it; otherwise the point estimates decided.
        equal_by: The criteria before, by which nothing shows it to be worse.
    """

    criterion: str
    shown: bool
    equal_by: tuple[str, ...]


def passed_over(front: Front, rule: Rule = "fastest") -> dict[int, PassedOver]:
    """Why a rule prefers another member, by number of each that is not the chosen one.

    Raises:
        BudgetError: The front is empty.
        ConfigError: There is no such rule.
    """
    rule, chosen = parse_rule(rule), choose(front, rule)
    if rule == _KNEE:
        return {r.number: PassedOver(_KNEE, shown=False, equal_by=()) for r in front if r.number != chosen.number}
    return _narrowed(list(front), criteria_of(rule))[1]


def criteria_of(rule: Rule) -> tuple[str, ...]:
    """The criteria that a rule stands for, the most important first; none for "knee"."""
    if rule == _KNEE:
        return ()
    return _ORDERS[rule] if isinstance(rule, str) else rule


def _narrowed(left: list[TrialRecord], criteria: Sequence[str]) -> tuple[TrialRecord, dict[int, PassedOver]]:
    """What is left of some records when each criterion has looked at them, and where the others went."""
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
    """The quantized trial that keeps the limits or is closest to it: crosses the fewest, and those by least in parts.

    Of those that keep them, the most accurate. None where no quantized trial was measured.
    """
    quantized = [record for record in records if record.state is TrialState.COMPLETE and not record.is_baseline]
    return min(
        quantized,
        key=lambda record: (*limits.shortfall(evaluation_of(record)), *_values(record, "accuracy")),
        default=None,
    )


def _values(record: TrialRecord, criterion: str) -> tuple[float, ...]:
    """What is to be small by a criterion, and by the others where that is equal."""
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
