from itertools import pairwise, product

import numpy as np
import pytest

from autoq.searching.sampler._effects import BORDER_SHARE
from autoq.searching.sampler._predicted_front import predicted_front
from autoq.searching.sampler._size_limit import SizeLimit
from autoq.searching.sensitivity._knowledge import Knowledge

UNITS = [f"u{number}" for number in range(9)]


def known(seed, **changes):
    rng = np.random.default_rng(seed)
    pairs = [*pairwise(UNITS), ("u0", "u4")]
    fields = {
        "distortion": dict(zip(UNITS, rng.lognormal(0, 1, 9), strict=True)),
        "gains": dict(zip(UNITS, rng.lognormal(0, 1, 9) / 20, strict=True)),
        "whole": 10.0,
        "interactions": dict(zip(pairs, rng.normal(0, 0.3, len(pairs)), strict=True)),
        "neighbours": tuple(pairs),
    }
    return Knowledge(**(fields | changes))


def enumerated(knowledge):
    """Predicted distortion and cost of every plan, written down as sums."""
    cost = BORDER_SHARE * np.mean(list(knowledge.gains.values()))
    plans = {}
    for bits in product([False, True], repeat=len(UNITS)):
        int8 = {unit for unit, bit in zip(UNITS, bits, strict=True) if bit}
        distortion = sum(knowledge.distortion[unit] for unit in int8)
        distortion += sum(value for pair, value in knowledge.interactions.items() if set(pair) <= int8)
        borders = sum(len({a, b} & int8) == 1 for a, b in knowledge.neighbours)
        plans[frozenset(int8)] = distortion, cost * borders - sum(knowledge.gains[unit] for unit in int8)
    return plans


@pytest.mark.parametrize("seed", range(5))
def test_each_plan_is_the_best_by_enumeration(seed):
    knowledge = known(seed)
    plans = enumerated(knowledge)
    whole = plans[frozenset(UNITS)][0]
    found = list(predicted_front(knowledge, 5))
    best = [min(cost for distortion, cost in plans.values() if distortion <= whole / 2**k) for k in range(1, 6)]
    for plan in found:
        assert min(abs(plans[plan][1] - cost) for cost in best) < 2e-3 * abs(min(best))
    assert len(found) >= 3
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("needed", [0.3, 0.6])
def test_under_a_size_limit_each_plan_is_the_best_of_those_that_save_enough(needed):
    knowledge = known(3)
    saved = dict(zip(UNITS, np.random.default_rng(9).lognormal(5, 1, 9), strict=True))
    size = SizeLimit(saved, needed * sum(saved.values()))
    plans = enumerated(knowledge)
    whole = plans[frozenset(UNITS)][0]
    small = {plan for plan in plans if sum(saved[unit] for unit in plan) >= size.needed}
    best = [
        min((plans[plan][1] for plan in small if plans[plan][0] <= whole / 2**k), default=np.inf) for k in range(1, 6)
    ]
    found = list(predicted_front(knowledge, 5, size))
    assert found
    assert set(found) <= small
    for plan in found:
        assert min(abs(plans[plan][1] - cost) for cost in best) < 2e-3 * abs(min(best))
    assert set(predicted_front(knowledge, 5)) - small


def test_what_the_device_cannot_run_stays_in_float():
    knowledge = known(0, interactions={})
    distortion = dict(knowledge.distortion) | {"u3": float("inf")}
    found = list(predicted_front(known(0, distortion=distortion, interactions={}), 6))
    assert found
    assert not any("u3" in plan for plan in found)


def test_nothing_is_predicted_where_nothing_differs():
    nothing = dict.fromkeys(UNITS, 0.0)
    assert len(list(predicted_front(known(0, distortion=nothing, gains=nothing, interactions={}), 4))) <= 1


def test_knowledge_survives_being_written():
    knowledge = known(3, recipes={"preset": {"mixed": 1.5, "performance": 2.0}, "alpha": {None: 1.0, 0.5: 2.0}})
    assert Knowledge.from_dict(knowledge.to_dict()) == knowledge
