"""The first plans of a search, before the sampler proposes any."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from autoq.core import Plan, Recipe
from autoq.searching.space import GONE, Dimensions, Unit

T = TypeVar("T")
# A plan that treats all units alike has their choice as its origin; with several kinds of units, this word.
_USUAL, CUT = "usual", "cut"


def first_plans(dimensions: Dimensions, recipes: Sequence[Recipe]) -> Iterator[tuple[str, Plan]]:
    """The float model, then the usual choice of every unit with each recipe, as `(origin, plan)`."""
    float_plan = dimensions.plan_of({}, recipes[0])
    yield "float", float_plan
    if dimensions.plan_of(dimensions.usual, recipes[0]) == float_plan:
        # Units that a usual plan leaves alone have no plan of their own here.
        return
    origin = _origin(dimensions, dimensions.usual)
    for number, recipe in enumerate(recipes):
        yield origin if number == 0 else "recipe", dimensions.plan_of(dimensions.usual, recipe)


def further_wholes(dimensions: Dimensions, recipe: Recipe) -> Iterator[tuple[str, Plan]]:
    """The plans in which every unit takes the second choice after the reference, the third, and so on.

    A unit that lacks a choice takes the next one in this order that it has, or else its last one.

    Args:
        dimensions: Dimensions of the search.
        recipe: Recipe of every plan.
    """
    units = {name: unit for name, unit in dimensions.units.items() if unit.usual != unit.reference}
    longest = sorted(units.values(), key=lambda unit: -len(unit.choices))
    order = list(dict.fromkeys(word for unit in longest for word in unit.choices[1:]))
    before = {name: unit.usual for name, unit in units.items()}
    for place in range(1, len(order)):
        chosen = {name: _next(unit, order[place:]) for name, unit in units.items()}
        if chosen != before:
            yield _origin(dimensions, chosen), dimensions.plan_of(chosen, recipe)
        before = chosen


def cut_wholes(
    dimensions: Dimensions, recipe: Recipe, bases: Sequence[Mapping[str, str]]
) -> Iterator[tuple[str, Plan]]:
    """The plans in which all units that are usually left alone take one choice; none of them goes as a whole.

    A unit that lacks a choice is left alone.

    Args:
        dimensions: Dimensions of the search.
        recipe: Recipe of every plan.
        bases: What the other units choose: their usual choice, nothing, or one after the other.
    """
    left = dimensions.left_alone
    longest = sorted(left.values(), key=lambda unit: -len(unit.choices))
    found = {dimensions.plan_of(others, recipe) for others in (dimensions.usual, {})}
    for word in dict.fromkeys(word for unit in longest for word in unit.choices[1:] if word != GONE):
        chosen = {name: word for name, unit in left.items() if word in unit.choices}
        for others in bases:
            plan = dimensions.plan_of({**others, **chosen}, recipe)
            if plan not in found:
                found.add(plan)
                yield CUT, plan


def _next(unit: Unit, words: Sequence[str]) -> str:
    """The first of these words that is a choice of a unit, or else its last choice."""
    return next((word for word in words if word in unit.choices), unit.choices[-1])


def coarse_to_fine(plans: Sequence[T]) -> Iterator[T]:
    """Plans in an order in which the first few are spread over all: the middle, the quarters, the eighths and so on."""
    spans = deque([(0, len(plans))])
    while spans:
        begin, end = spans.popleft()
        if begin == end:
            continue
        middle = (begin + end) // 2
        yield plans[middle]
        spans += [(begin, middle), (middle + 1, end)]


def sweep_plans(
    ranking: Sequence[str], dimensions: Dimensions, recipe: Recipe, count: int
) -> Iterator[tuple[str, Plan]]:
    """Plans that leave the k most sensitive units at their reference, for `count` values of k that nearly double.

    Args:
        ranking: Parameters of units, most sensitive first.
        dimensions: Dimensions of the search.
        recipe: Recipe of every plan.
        count: Largest number of plans.
    """
    if count < 1 or len(ranking) < 2:
        return
    spread = np.geomspace(1, len(ranking) - 1, num=min(count, len(ranking) - 1))
    for k in sorted({int(value) for value in np.rint(spread)}):
        yield "sweep", dimensions.plan_of({unit: dimensions.usual[unit] for unit in ranking[k:]}, recipe)


def _origin(dimensions: Dimensions, chosen: Mapping[str, str]) -> str:
    """The choice that all units have which are not left alone, or the word for several."""
    choices = {chosen[name] for name, unit in dimensions.units.items() if unit.usual != unit.reference}
    return choices.pop() if len(choices) == 1 else _USUAL
