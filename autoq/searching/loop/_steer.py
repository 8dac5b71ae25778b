"""The first plans of a search, and its sampler."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

from autoq.core import Against, Plan, Recipe
from autoq.evaluation.candidate import size_bytes
from autoq.searching.loop._budget import Budget
from autoq.searching.loop._first_cuts import bases
from autoq.searching.loop._proposals import coarse_to_fine, cut_wholes, first_plans, further_wholes, sweep_plans
from autoq.searching.problem import Problem, size_limit
from autoq.searching.records import TrialState, evaluation_of
from autoq.searching.sampler import FrontSampler, SizeLimit, predicted_front
from autoq.searching.sensitivity import Knowledge
from autoq.searching.space import Dimensions, plain_choices
from autoq.searching.study import Study

# Largest share of the time of a search for the walk of the predicted front.
_PLANNING_SHARE = 0.05
# A closing session compiles each model four times or more, which halves the error of one compilation.
_CLOSING = 0.5
# Relative standard deviation of a cost that another timing reaches, however noisy the machine was in a trial.
_TIMED_AGAIN = 0.01
# Two models are scored on the same samples and timed in turn, so that their difference is known better than each value.
_PAIRED = 0.5


def steer(problem: Problem, study: Study, budget: Budget, knowledge: Knowledge, seed: int) -> None:
    """Enqueues the first plans of a search, and sets the sampler that its space names.

    The sampler "front" gets the knowledge of the units and begins with the predicted front. The other samplers learn
    from trials alone. They begin with every recipe, and with a sweep that leaves the most sensitive units in float.

    Args:
        problem: What is searched.
        study: Its study.
        budget: What is acceptable.
        knowledge: Prior knowledge of the units.
        seed: Seed of the sampler.
    """
    informed = problem.space.sampler == "front"
    most = budget.limits.max_size_bytes
    size = None if most is None else size_limit(problem, most)
    plans = _informed_plans(problem, study, knowledge, size) if informed else _other_plans(problem, study, knowledge)
    clock = budget.clock
    latest = clock.now() + _PLANNING_SHARE * clock.seconds
    for origin, plan in plans:
        if clock.now() > latest:
            break
        study.enqueue(problem.dimensions.parameters(plan), origin)
    if informed:
        make = partial(
            FrontSampler,
            knowledge=knowledge,
            reference=(budget.worth_drop, min(1.0, _largest_cost(problem, budget) or 1.0)),
            measured=partial(study.measured, samples=problem.evaluator.float_accuracy.n),
            resolution=partial(_resolution, study),
            told=study.expect,
            is_known=partial(_is_measured, problem, study),
            size=size,
            ahead=True,
            needed=[name for name, choices in problem.dimensions.fields.items() if len(choices) > 1],
        )
        study.use(lambda of_trial: make(seed=of_trial), seed)


def _largest_cost(problem: Problem, budget: Budget) -> float | None:
    """The largest cost that the limits allow; None without a limit."""
    most = budget.limits.max_size_bytes
    if problem.against is Against.LATENCY:
        return budget.limits.max_ratio
    return None if most is None else most / size_bytes(problem.model)


def _is_measured(problem: Problem, study: Study, parameters: Mapping[str, Any]) -> bool:
    """Whether the study has a trial of the model of these parameters."""
    return problem.builder.fingerprint(problem.dimensions.plan(parameters)) in study.fingerprints


def _resolution(study: Study) -> tuple[float, float]:
    """Standard deviations of differences of the drop on all samples, and of the cost in a closing session.

    They are taken from the medians of the quantized trials within the limits; 0 where there are none, or no intervals.

    Args:
        study: The study of the search.
    """
    records = study.records(closed=False)
    found = [evaluation_of(r) for r in records if r.state is TrialState.COMPLETE and r.feasible and not r.is_baseline]
    whole = [evaluation for evaluation in found if not evaluation.accuracy.sampling_sd] or found
    drops = [evaluation.accuracy.drop.sd for evaluation in whole if evaluation.accuracy.drop.known]
    known = [evaluation.cost for evaluation in found if evaluation.cost.known]
    costs = [_CLOSING * min(cost.sd, _TIMED_AGAIN * cost.value) for cost in known]
    return _PAIRED * median(drops) if drops else 0.0, _PAIRED * median(costs) if costs else 0.0


def _cuts(
    problem: Problem, study: Study, recipe: Recipe, others: Sequence[Mapping[str, str]]
) -> list[tuple[str, Plan]]:
    """The plans in which all groups of channels keep one share, but for those whose units were so in a trial before."""
    dimensions = problem.dimensions
    tried = [_units_of(dimensions, record.plan) for record in study.records(closed=False)]
    found = cut_wholes(dimensions, recipe, others)
    return [(origin, plan) for origin, plan in found if _units_of(dimensions, plan) not in tried]


def _units_of(dimensions: Dimensions, plan: Plan) -> dict[str, str]:
    """What the units choose in a plan."""
    return {name: choice for name, choice in dimensions.parameters(plan).items() if name in dimensions.units}


def _informed_plans(
    problem: Problem, study: Study, knowledge: Knowledge, size: SizeLimit | None
) -> Iterator[tuple[str, Plan]]:
    """Plans that treat all units alike, by the default and the least distorting recipe; then the predicted front."""
    default, dimensions = problem.space.default_recipe(), problem.dimensions
    best, own = least_distorting(problem, knowledge), own_choices(problem, knowledge)
    yield from first_plans(dimensions, [default])
    if (whole := dimensions.plan_of(dimensions.usual, best, own)) != problem.whole(default):
        yield "recipe", whole
    predicted = (
        ("predicted", dimensions.plan_of(chosen, best, own))
        for chosen in predicted_front(_choosing(knowledge, own), problem.space.sweep, size, dimensions.left_alone)
    )
    wholes = [*further_wholes(dimensions, best), *_cuts(problem, study, best, bases(problem, study))]
    if not knowledge.of_size:
        yield from wholes
        yield from predicted
        return
    # Plans whose size is known are on the front, as far as it is predicted. A short search has the other end of it, and
    # plans that are spread over the rest.
    yield from wholes[-1:]
    yield from coarse_to_fine(list(predicted))
    yield from wholes[:-1]


def least_distorting(problem: Problem, knowledge: Knowledge) -> Recipe:
    """The recipe of the choices that, each by itself, distort the quantized model least.

    Args:
        problem: What is searched.
        knowledge: Prior knowledge of the recipes.
    """
    chosen = {}
    for name, choices in problem.space.recipe_choices().items():
        known = knowledge.recipes.get(name, {})
        plain = dict(zip(choices, plain_choices(choices), strict=True))
        chosen[name] = min(choices, key=lambda choice: known.get(plain[choice], knowledge.whole))
    # The precision of float layers causes no distortion by quantization.
    return replace(Recipe(**chosen), runtime_precision=problem.space.runtime_precisions[0])


def own_choices(problem: Problem, knowledge: Knowledge) -> dict[str, dict[str, Any]]:
    """The choice of each recipe field of its own with which a unit alone distorts least, by unit and field.

    Args:
        problem: What is searched.
        knowledge: Prior knowledge of the units.
    """
    return {
        unit: {
            name: min(choices, key=partial(_factor, knowledge, unit, name))
            for name, choices in problem.dimensions.own.items()
        }
        for unit in (problem.dimensions.groups if problem.dimensions.own else ())
    }


def _choosing(knowledge: Knowledge, own: Mapping[str, Mapping[str, Any]]) -> Knowledge:
    """The knowledge, with distortions for these recipe fields of the units."""
    factors = {
        unit: math.prod(_factor(knowledge, unit, *choice) for choice in own.get(unit, {}).items())
        for unit in knowledge.distortion
    }
    distortion = {
        unit: {choice: value * factors[unit] for choice, value in choices.items()}
        for unit, choices in knowledge.distortion.items()
    }
    return replace(knowledge, distortion=distortion)


def _factor(knowledge: Knowledge, unit: str, name: str, choice: Any) -> float:  # any of a recipe's values
    """Factor on the distortion of a unit by a choice of its own."""
    (plain,) = plain_choices([choice])
    return knowledge.factor(name, plain, unit)


def _other_plans(problem: Problem, study: Study, knowledge: Knowledge) -> Iterator[tuple[str, Plan]]:
    """Plans that treat all units alike, with every recipe that differs in one choice, and the sweep by sensitivity."""
    default, dimensions = problem.space.default_recipe(), problem.dimensions
    variations = [
        replace(default, **{name: choice})
        for name, choices in problem.space.recipe_choices().items()
        for choice in choices[1:]
    ]
    yield from first_plans(dimensions, [default, *variations])
    yield from further_wholes(dimensions, default)
    yield from _cuts(problem, study, default, bases(problem, study))
    for name, choices in dimensions.own.items():
        for choice in choices[1:]:
            own = {unit: {name: choice} for unit in dimensions.groups}
            yield "recipe", dimensions.plan_of(dimensions.usual, default, own)
    if len(dimensions.units) > 1:
        yield from sweep_plans(knowledge.ranking, dimensions, default, problem.space.sweep)
