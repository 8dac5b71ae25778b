"""A search for the cheapest groups to leave in float so that a budget is met, in few evaluations.

1. Groups are ordered by accuracy won over cost: the greedy order of the knapsack problem (Dantzig, "Discrete-variable
   extremum problems", 1957).
2. Doubling, then bisection, finds how many of them are needed.
3. Groups that are not needed are given back, by halves, quarters and so on (Zeller and Hildebrandt, "Simplifying and
   isolating failure-inducing input", 2002).

These steps ask a cheap guess. The result is then evaluated. If the guess was too hopeful, it has learnt from the
evaluation, and the steps add more groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

InFloat = frozenset[str]
Question = Callable[[InFloat], bool]

_MOST_ROUNDS = 12


def restoration_order(harm: Mapping[str, float], cost: Mapping[str, float]) -> list[str]:
    """Groups by harm over cost, largest first.

    Args:
        harm: Accuracy that each group wins back in float.
        cost: Cost of each group in float; a cost of 0 counts as nearly free.
    """
    floor = max(cost.values(), default=0.0) * 1e-3 or 1.0
    return sorted(harm, key=lambda group: -harm[group] / max(cost.get(group, 0.0), floor))


def restore(order: Sequence[str], guess: Question, meets: Question, *, spent: Callable[[], bool]) -> InFloat | None:
    """A small set of groups that, left in float, meets the budget.

    Args:
        order: Groups, the first to restore in front.
        guess: Tells whether the candidate with these groups in float probably meets the budget; learns from `meets`.
        meets: Evaluates the candidate, and tells whether it meets the budget.
        spent: Tells whether to stop.

    Returns:
        The set. None if the search had to stop, or if nothing less than all groups meets the budget.
    """
    chosen: list[str] = []
    for _ in range(_MOST_ROUNDS):
        kept = frozenset(chosen)

        def enough(more: InFloat, kept: InFloat = kept) -> bool:
            return guess(kept | more)

        rest = [group for group in order if group not in kept]
        chosen += _thinned(_fewest(rest, enough, spent), enough, spent)
        if spent() or len(chosen) == len(order):
            break
        if meets(frozenset(chosen)):
            return frozenset(chosen)

    def proven(floats: InFloat) -> bool:
        return guess(floats) and meets(floats)

    found = frozenset(_thinned(_fewest(order, proven, spent), proven, spent))
    return None if spent() or len(found) == len(order) else found


def _fewest(order: Sequence[str], enough: Question, spent: Callable[[], bool]) -> list[str]:
    """The shortest prefix of the order that is enough, if more is never worse; the whole order if none is enough."""
    low, high, step = 0, len(order), 1
    found = False
    while high - low > 1 and not spent():
        middle = (low + high) // 2 if found else min(low + step, high - 1)
        if enough(frozenset(order[:middle])):
            high, found = middle, True
        else:
            low, step = middle, 2 * step
    return list(order[:high])


def _thinned(chosen: list[str], enough: Question, spent: Callable[[], bool]) -> list[str]:
    """The set without the groups that are not needed; the last ones are tried first."""
    size = len(chosen) // 2
    while size:
        end = len(chosen)
        while end > 0 and not spent():
            begin = max(end - size, 0)
            fewer = chosen[:begin] + chosen[end:]
            if fewer and enough(frozenset(fewer)):
                chosen = fewer
            end = begin
        size //= 2
    return chosen
