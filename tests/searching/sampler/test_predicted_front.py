from itertools import pairwise, product

import numpy as np
import pytest

from autoq.searching.sampler._effects import BORDER_SHARE
from autoq.searching.sampler._predicted_front import predicted_front
from autoq.searching.sampler._size_limit import SizeLimit
from autoq.searching.sensitivity._knowledge import Knowledge

TWO = {f"precision/u{number}": ("int8",) for number in range(9)}
# Three choices, two and four; and a unit of another kind.
SEVERAL = {
    "precision/a": ("int8", "fp8"),
    "precision/b": ("int8", "fp8"),
    "precision/c": ("int8",),
    "precision/d": ("int8", "fp8", "int8_weights"),
    "width/a": ("0.75", "0.5"),
}


def numbers(units, values):
    values = iter(values)
    return {unit: {choice: float(next(values)) for choice in choices} for unit, choices in units.items()}


def known(seed, units=TWO, **changes):
    rng = np.random.default_rng(seed)
    names = list(units)
    precisions = [name for name in names if name.startswith("precision")]
    pairs = [*pairwise(precisions), (precisions[0], precisions[min(4, len(precisions) - 1)])]
    count = sum(map(len, units.values()))
    fields = {
        "distortion": numbers(units, rng.lognormal(0, 1, count)),
        "gains": numbers(units, rng.lognormal(0, 1, count) / 20),
        "whole": 10.0,
        "interactions": {
            ((a, "int8"), (b, "int8")): value
            for (a, b), value in zip(pairs, rng.normal(0, 0.3, len(pairs)), strict=True)
        },
        "neighbours": tuple(pairs),
    }
    return Knowledge(**(fields | changes))


def enumerated(knowledge):
    """Predicted distortion and cost of every plan, written down as sums."""
    largest = [max(choices.values()) for choices in knowledge.gains.values()]
    cost = BORDER_SHARE * np.mean(largest)
    plans = {}
    units = {unit: [None, *choices] for unit, choices in knowledge.distortion.items()}
    for made in product(*units.values()):
        plan = {unit: choice for unit, choice in zip(units, made, strict=True) if choice is not None}
        distortion = sum(knowledge.distortion[unit][choice] for unit, choice in plan.items())
        distortion += sum(value for both, value in knowledge.interactions.items() if set(both) <= set(plan.items()))
        borders = sum(plan.get(a) != plan.get(b) for a, b in knowledge.neighbours)
        gained = sum(knowledge.gains[unit][choice] for unit, choice in plan.items())
        plans[key(plan)] = distortion, cost * borders - gained
    return plans


def key(plan):
    return frozenset(plan.items())


def usual(knowledge):
    return frozenset((unit, next(iter(choices))) for unit, choices in knowledge.distortion.items())


@pytest.mark.parametrize("units", [TWO, SEVERAL], ids=["two", "several"])
@pytest.mark.parametrize("seed", range(5))
def test_each_plan_is_the_best_by_enumeration(seed, units):
    knowledge = known(seed, units)
    plans = enumerated(knowledge)
    whole = plans[usual(knowledge)][0]
    found = [key(plan) for plan in predicted_front(knowledge, 5)]
    best = [min(cost for distortion, cost in plans.values() if distortion <= whole / 2**k) for k in range(1, 6)]
    for plan in found:
        assert min(abs(plans[plan][1] - cost) for cost in best) < 2e-3 * abs(min(best))
    assert len(found) >= 3
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(("units", "needed"), [(TWO, 0.3), (TWO, 0.6), (SEVERAL, 0.6), (SEVERAL, 0.75)])
def test_under_a_size_limit_each_plan_is_the_best_of_those_that_save_enough(units, needed):
    knowledge = known(3, units)
    saved = numbers(units, np.random.default_rng(9).lognormal(5, 1, sum(map(len, units.values()))))
    most = sum(max(choices.values()) for choices in saved.values())
    size = SizeLimit(saved, needed * most)
    plans = enumerated(knowledge)
    whole = plans[usual(knowledge)][0]
    small = {plan for plan in plans if sum(saved[unit][choice] for unit, choice in plan) >= size.needed}
    best = [
        min((plans[plan][1] for plan in small if plans[plan][0] <= whole / 2**k), default=np.inf) for k in range(1, 6)
    ]
    found = [key(plan) for plan in predicted_front(knowledge, 5, size)]
    assert found
    assert set(found) <= small
    for plan in found:
        assert min(abs(plans[plan][1] - cost) for cost in best) < 2e-3 * abs(min(best))
    assert {key(plan) for plan in predicted_front(knowledge, 5)} - small


def test_what_the_device_cannot_run_stays_at_its_reference():
    knowledge = known(0, interactions={})
    distortion = {**knowledge.distortion, "precision/u3": {"int8": float("inf")}}
    found = list(predicted_front(known(0, distortion=distortion, interactions={}), 6))
    assert found
