"""The plans that every search looks at before the sampler proposes any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from autoq.core import Plan, Precision, Recipe
from autoq.searching.space import plan_of_units


def first_plans(groups: Sequence[str], recipes: Sequence[Recipe]) -> Iterator[tuple[str, Plan]]:
    """All-float, then all-int8 with every recipe worth a look; `(origin, plan)` each."""
    yield "float", Plan.quantized(recipes[0], dict.fromkeys(groups, Precision.FLOAT))
    for number, recipe in enumerate(recipes):
        yield "int8" if number == 0 else "recipe", Plan.quantized(recipe, dict.fromkeys(groups, Precision.INT8))


def sweep_plans(
    ranking: Sequence[str], units: Mapping[str, Sequence[str]], recipe: Recipe, count: int
) -> Iterator[tuple[str, Plan]]:
    """Plans that leave the k most sensitive units in float, for `count` values of k, doubling roughly.

    Args:
        ranking: Units, most sensitive first.
        units: Groups by unit.
        recipe: Of every plan.
        count: How many plans at most.
    """
    if count < 1 or len(ranking) < 2:
        return
    spread = np.geomspace(1, len(ranking) - 1, num=min(count, len(ranking) - 1))
    for k in sorted({int(value) for value in np.rint(spread)}):
        yield "sweep", plan_of_units(recipe, units, set(ranking[k:]))
