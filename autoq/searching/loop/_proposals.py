"""The plans that every search looks at before the sampler proposes any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from autoq.core import Plan, Recipe
from autoq.searching.space import Dimensions

# The origins of the plans that treat all units alike are their choices; of several kinds of units, this one.
_USUAL = "usual"


def first_plans(dimensions: Dimensions, recipes: Sequence[Recipe]) -> Iterator[tuple[str, Plan]]:
    """The float model, then the usual choice of every unit with each recipe worth a look; `(origin, plan)` each."""
    yield "float", dimensions.plan_of({}, recipes[0])
    origin = _origin(set(dimensions.usual.values()))
    for number, recipe in enumerate(recipes):
        yield origin if number == 0 else "recipe", dimensions.plan_of(dimensions.usual, recipe)


def further_wholes(dimensions: Dimensions, recipe: Recipe) -> Iterator[tuple[str, Plan]]:
    """The plans in which every unit takes its second choice beside the reference, its third, and so on.

    A unit that has fewer choices takes its last one.

    Args:
        dimensions: Of the search.
        recipe: Of every plan.
    """
    most = max((len(unit.choices) for unit in dimensions.units.values()), default=0)
    for place in range(2, most):
        chosen = {name: unit.choices[min(place, len(unit.choices) - 1)] for name, unit in dimensions.units.items()}
        yield _origin(set(chosen.values())), dimensions.plan_of(chosen, recipe)


def sweep_plans(
    ranking: Sequence[str], dimensions: Dimensions, recipe: Recipe, count: int
) -> Iterator[tuple[str, Plan]]:
    """Plans that leave the k most sensitive units at their reference, for `count` values of k, doubling roughly.

    Args:
        ranking: Parameters of units, most sensitive first.
        dimensions: Of the search.
        recipe: Of every plan.
        count: How many plans at most.
    """
    if count < 1 or len(ranking) < 2:
        return
    spread = np.geomspace(1, len(ranking) - 1, num=min(count, len(ranking) - 1))
    for k in sorted({int(value) for value in np.rint(spread)}):
        yield "sweep", dimensions.plan_of({unit: dimensions.usual[unit] for unit in ranking[k:]}, recipe)


def _origin(choices: set[str]) -> str:
    return choices.pop() if len(choices) == 1 else _USUAL
