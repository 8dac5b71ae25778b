"""What is found out about a problem without trials."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from autoq.core import DeviceError, DeviceLostError, Precision, QuantizationPlan, Recipe
from autoq.evaluation import distortion
from autoq.graph import Comparable, neighbours
from autoq.search._gains import latency_gains
from autoq.search._knowledge import Knowledge, Pair, Probes
from autoq.search._parameters import plain_choices
from autoq.search._problem import Problem, Stage
from autoq.search._sensitivity import Sensitivities, alike, measure_sensitivities
from autoq.search._study import Study

_RECIPE_INPUTS = 16
# Seconds of inference that units, and recipes, may take in any search.
_SHORTEST_S = 15.0
_KNOWLEDGE = "knowledge"


def learn(problem: Problem, study: Study, stage: Stage, *, seconds: float = math.inf) -> Knowledge:
    """What is known of a problem, found out once per study.

    Args:
        problem: What is searched.
        study: Keeps what is found.
        stage: Told what happens.
        seconds: Of inference that this may take, about; half a minute in any case. Large models are run on fewer inputs
            for that, and where one is too many, pairs of units are left out. Each unit and each recipe is run.

    Raises:
        DeviceError: The device fails to run the float model.
    """
    if (known := recall(problem, study)) is not None:
        return known
    started = time.monotonic()
    units = problem.dimensions.units
    graph = problem.placements.reference
    near = neighbours(problem.model, graph, units)
    stage(f"measuring the sensitivity of {len(units)} units", 0, None)
    own = problem.space.unit_choices()
    each_s = max(seconds / (2 + sum(len(choices) - 1 for choices in own.values())), _SHORTEST_S)
    sensitivities = _sensitivities(problem, problem.space.default_recipe(), each_s, near)
    choices, own_probes = _own_choices(problem, own, sensitivities, each_s, stage)
    whole, recipes, probes = _whole_models(problem, each_s, stage)
    stage("profiling the float model and the model in int8", 0, None)
    gains, profiles = _gains(problem)
    found = Knowledge(
        distortion=sensitivities.alone,
        gains=gains,
        whole=whole,
        interactions=sensitivities.interactions,
        recipes=recipes,
        choices=choices,
        neighbours=near,
        probes=Probes(
            models=probes.models + sensitivities.models + own_probes.models,
            inferences=probes.inferences + sensitivities.inferences + own_probes.inferences,
            profiles=profiles,
            seconds=time.monotonic() - started,
        ),
    )
    study.remember(_KNOWLEDGE, found.to_dict())
    return found


def recall(problem: Problem, study: Study) -> Knowledge | None:
    """What `learn` has found out before; None where it has not run, or not to its end."""
    if problem.knowledge is not None:
        return problem.knowledge
    stored = study.recall(_KNOWLEDGE)
    return None if stored is None else Knowledge.from_dict(stored)


def _sensitivities(problem: Problem, recipe: Recipe, seconds: float, pairs: Sequence[Pair] = ()) -> Sensitivities:
    """Distortion of each unit by a recipe, and of pairs of them."""
    return measure_sensitivities(
        problem.builder,
        problem.model,
        problem.dimensions.units,
        pairs,
        recipe,
        inputs=problem.inputs,
        evaluator=problem.evaluator,
        measure=problem.space.sensitivity,
        limit_s=seconds,
    )


def _own_choices(
    problem: Problem, own: Mapping[str, Sequence[Any]], usual: Sensitivities, each_s: float, stage: Stage
) -> tuple[dict[str, dict[Any, dict[str, float]]], Probes]:
    """Distortion of each unit alone by each choice that it may make for itself, and what that took."""
    default = problem.space.default_recipe()
    total, models, inferences = sum(len(choices) - 1 for choices in own.values()), 0, 0
    found: dict[str, dict[Any, dict[str, float]]] = {}
    for name, choices in own.items():
        first, *others = zip(choices, plain_choices(choices), strict=True)
        found[name] = {first[1]: dict(usual.alone)}
        for choice, plain in others:
            measured = _sensitivities(problem, replace(default, **{name: choice}), each_s)
            found[name][plain] = dict(measured.alone)
            models, inferences = models + measured.models, inferences + measured.inferences
            done = sum(map(len, found.values())) - len(found)
            stage("measuring the sensitivity of units by their own choices", done, total)
    return found, Probes(models=models, inferences=inferences)


def _whole_models(problem: Problem, seconds: float, stage: Stage) -> tuple[float, dict[str, dict[Any, float]], Probes]:
    """Distortion of the whole model in int8: with the default recipe, and with each that differs in one choice."""
    default = problem.space.default_recipe()
    varied = {name: choices for name, choices in problem.space.recipe_choices().items() if len(choices) > 1}
    total = 1 + sum(len(choices) - 1 for choices in varied.values())
    inputs = alike(problem.inputs, _RECIPE_INPUTS)
    comparable = Comparable.of(problem.model)
    reference = problem.evaluator.outputs(comparable.put_out_by(problem.model), inputs, seconds / (1 + total))
    inputs = inputs[: len(reference)]
    done = 0

    def changed(**changes: Any) -> float:
        nonlocal done
        try:
            outputs = problem.evaluator.outputs(
                comparable.put_out_by(problem.builder.build(_whole(problem, replace(default, **changes)))), inputs
            )
        except DeviceLostError:
            raise
        except DeviceError:
            return math.inf
        finally:
            done += 1
            stage("measuring the distortion by each recipe", done, total)
        return distortion(reference, outputs, problem.space.sensitivity)

    whole = changed()
    recipes = {
        name: {
            plain: whole if choice == choices[0] else changed(**{name: choice})
            for choice, plain in zip(choices, plain_choices(choices), strict=True)
        }
        for name, choices in varied.items()
    }
    return whole, recipes, Probes(models=1 + total, inferences=(1 + total) * len(inputs))


def _gains(problem: Problem) -> tuple[dict[str, float], int]:
    """By how much the latency ratio should fall by unit, and from how many profiles; by nothing where none is."""
    units = problem.dimensions.units
    plan = _whole(problem, problem.space.default_recipe())
    graph = problem.placements.reference
    try:
        before = problem.evaluator.profile(problem.model, graph)
        after = problem.evaluator.profile(problem.builder.build(plan), graph, plan)
    except DeviceLostError:
        raise
    except DeviceError as error:
        warnings.warn(f"the gain of each group is not known beforehand: {error}", stacklevel=2)
        return dict.fromkeys(units, 0.0), 0
    return latency_gains(before, after, units), 2


def _whole(problem: Problem, recipe: Recipe) -> QuantizationPlan:
    return QuantizationPlan(recipe, dict.fromkeys(problem.groups, Precision.INT8))
