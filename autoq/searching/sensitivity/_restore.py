"""Which groups to leave in float so that a budget is met, at the least cost, in few evaluations.

Groups are taken in the order of what they win back over what they cost (the greedy order of the knapsack problem:
Dantzig, "Discrete-variable extremum problems", 1957). How many of them is found by doubling, then by halving. Then
those that are not needed are given back, by halves, quarters and so on (Zeller and Hildebrandt, "Simplifying and
isolating failure-inducing input", 2002). All of that asks a guess, which is cheap; what it comes to is then evaluated,
and where that shows the guess to be too hopeful, it has learnt, and is asked what to add.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

Floats = frozenset[str]
Question = Callable[[Floats], bool]

_MOST_ROUNDS = 12


def restoration_order(harm: Mapping[str, float], cost: Mapping[str, float]) -> list[str]:
    """Groups by harm over cost, largest first.

    Args:
        harm: What leaving each group in float wins back.
        cost: What that costs; groups of no cost count as nearly free.
    """
    floor = max(cost.values(), default=0.0) * 1e-3 or 1.0
    return sorted(harm, key=lambda group: -harm[group] / max(cost.get(group, 0.0), floor))


def restore(order: Sequence[str], guess: Question, meets: Question, *, spent: Callable[[], bool]) -> Floats | None:
    """A small set of groups that, left in float, meets the budget.

    Args:
        order: Groups, those to restore first in front.
        guess: Whether the candidate with these groups in float would probably meet the budget; learns from `meets`.
        meets: Whether it does.
        spent: Whether to stop.

    Returns:
        The set; None where it had to stop, or nothing but all groups was found to meet the budget.
    """
    chosen: list[str] = []
    for _ in range(_MOST_ROUNDS):
        kept = frozenset(chosen)

        def enough(more: Floats, kept: Floats = kept) -> bool:
            return guess(kept | more)

        rest = [group for group in order if group not in kept]
        chosen += _thinned(_fewest(rest, enough, spent), enough, spent)
        if spent() or len(chosen) == len(order):
            break
        if meets(frozenset(chosen)):
            return frozenset(chosen)

    def proven(floats: Floats) -> bool:
        return guess(floats) and meets(floats)

    found = frozenset(_thinned(_fewest(order, proven, spent), proven, spent))
    return None if spent() or len(found) == len(order) else found


def _fewest(order: Sequence[str], enough: Question, spent: Callable[[], bool]) -> list[str]:
    """The shortest beginning of the order that is enough, as if more were always better; all of it where none is."""
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
    """What is left of a set when everything that is not needed is taken out, the last in it first."""
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
