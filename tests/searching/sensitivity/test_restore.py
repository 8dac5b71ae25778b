"""Restoration on made-up problems, against enumeration."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from autoq.searching.sensitivity import restoration_order, restore

HARMS = st.lists(st.floats(0, 1), min_size=2, max_size=9)
NEVER = lambda: False  # noqa: E731


def names(values):
    return {f"g{index}": value for index, value in enumerate(values)}


@settings(max_examples=200)
@given(HARMS, st.data())
def test_where_harms_add_up_the_cost_is_within_the_greedy_bound(harms, data):
    harm = names(harms)
    cost = names(data.draw(st.lists(st.floats(0.1, 1), min_size=len(harms), max_size=len(harms))))
    budget = data.draw(st.floats(0, 1)) * sum(harms)
    asked = []

    def meets(floats):
        asked.append(floats)
        return sum(value for group, value in harm.items() if group not in floats) <= budget

    if meets(frozenset()):
        return
    order = restoration_order(harm, cost)
    found = restore(order, meets, meets, spent=NEVER)
    everything = frozenset(harm)
    sets = [frozenset(s) for n in range(len(harm) + 1) for s in itertools.combinations(sorted(harm), n)]
    best = min((s for s in sets if meets(s)), key=lambda s: sum(cost[g] for g in s))
    chosen = everything if found is None else found
    assert meets(chosen)
    # Greedy covering costs at most the optimum plus the last group that was taken.
    assert sum(cost[g] for g in chosen) <= sum(cost[g] for g in best) + max(cost.values()) * 2 + 1e-9
    # Nothing in it can be given back.
    assert not any(meets(chosen - {group}) for group in chosen if len(chosen) > 1)


@given(st.lists(st.floats(0.1, 1), min_size=3, max_size=12), st.integers(0, 5))
def test_few_questions_are_evaluated_where_the_guess_is_right(harms, seed):
    harm = names(harms)
    budget = 0.6 * sum(harms)
    evaluated = []

    def guess(floats):
        return sum(value for group, value in harm.items() if group not in floats) <= budget

    def meets(floats):
        evaluated.append(floats)
        return guess(floats)

    order = restoration_order(harm, dict.fromkeys(harm, 1.0))
    assert guess(restore(order, guess, meets, spent=NEVER))
    assert len(evaluated) == 1


def test_a_guess_that_is_too_hopeful_is_repaired():
    needed = {"b", "d"}
    known = {"b"}

    def guess(floats):
        return known <= floats

    def meets(floats):
        known.update(needed)
        return needed <= floats

    assert restore(["a", "b", "c", "d", "e"], guess, meets, spent=NEVER) == {"b", "d"}


def test_it_stops_when_told_to():
    assert restore(["a", "b", "c"], lambda floats: False, lambda floats: False, spent=lambda: True) is None


def test_cheap_groups_come_first():
    assert restoration_order({"a": 1.0, "b": 1.0, "c": 3.0}, {"a": 1.0, "b": 0.1, "c": 2.0}) == ["b", "c", "a"]
