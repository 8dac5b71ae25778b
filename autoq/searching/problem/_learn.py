"""Probing: forward passes and profiles tell what is known of a problem before its trials."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from autoq.core import Against, DeviceError, DeviceLostError, Precision, Recipe
from autoq.evaluation.distortion import distortion
from autoq.graph import Comparable, neighbours
from autoq.searching.problem._clock import Clock
from autoq.searching.problem._gains import PROFILED_INFERENCES, PROFILED_MODELS, gains_by_size, profiled_gains
from autoq.searching.problem._learn_weights import weight_distortions
from autoq.searching.problem._learn_widths import is_needed, probed_shares, with_other_shares
from autoq.searching.problem._patience import Patience
from autoq.searching.problem._problem import Problem, Stage
from autoq.searching.problem._widths import repaired_at_once
from autoq.searching.records import Part
from autoq.searching.sensitivity import (
    MOST_SECONDS,
    Knowledge,
    Option,
    Pair,
    Probes,
    Sensitivities,
    alike,
    measure_sensitivities,
)
from autoq.searching.space import WIDTH, Dimensions, plain_choices
from autoq.searching.study import Study

logger = logging.getLogger(__name__)
_RECIPE_INPUTS = 16
# Least seconds of inference for units, and for recipes.
_SHORTEST_S = 15.0
_KNOWLEDGE = "knowledge of choices"
# Without probing, a width is believed to distort so many times as much as a unit in 8 bits, by the share that goes.
_OF_WIDTHS = 32.0
# Cost of a model with switches, in candidates, and the least number of runs of a setting, with the warm-up.
_SWITCHED_MODELS, _SWITCHED_INFERENCES = 4, 2


def learn(
    problem: Problem, study: Study, stage: Stage, *, seconds: float = math.inf, clock: Clock | None = None
) -> Knowledge:
    """Probes the model of a problem, once per study.

    Args:
        problem: What is searched.
        study: Keeps the knowledge, if it is complete.
        stage: Told what happens.
        seconds: Approximate seconds of inference, at least half a minute. Large models are run on fewer inputs; if one
            input takes too long, pairs of units are skipped. Each unit and each recipe is run.
        clock: Clock of the search. If its time is limited, `seconds` is the time for all of probing, and work that
            would probably take longer is skipped.

    Raises:
        DeviceError: The device fails to run the float model.
    """
    if (known := recall(problem, study)) is not None:
        logger.debug("sensitivities of %d units are known from before", len(known.distortion))
        return known
    clock = clock or Clock()
    patience = Patience.of(problem, study, clock, seconds)
    started = clock.now()
    dimensions, groups = problem.dimensions, problem.dimensions.groups
    near = neighbours(problem.model, problem.placements.reference, groups) if groups else ()
    settings = 1 + len(groups)
    own, precisions = problem.space.unit_choices(), problem.space.quantized if groups else ()
    kinds = len(precisions) + bool(dimensions.weights)
    each_s = seconds / max(bool(groups) + kinds + sum(len(choices) - 1 for choices in own.values()), 1)
    by_size = problem.against is Against.SIZE
    # Sizes of quantized weights and of fewer channels do not add up.
    gains, of_size = _no_gains(dimensions) | gains_by_size(problem), by_size and not dimensions.widths
    multiplied = (WIDTH,) if dimensions.widths else ()
    if not clock.is_limited:
        each_s = max(each_s, _SHORTEST_S)
    if groups and not patience.allows(models=_SWITCHED_MODELS, inferences=_SWITCHED_INFERENCES * settings):
        clock.shorten("there was no time to find out beforehand what units and recipes distort.")
        return replace(_unprobed(dimensions), gains=gains, neighbours=near, of_size=of_size, multiplied=multiplied)
    default = problem.space.default_recipe()
    sensitivities: dict[Precision, Sensitivities] = {}
    for place, precision in enumerate(precisions):
        if not place:
            stage(f"measuring the sensitivity of {len(groups)} units", 0, None)
        elif not patience.allows(models=_SWITCHED_MODELS, inferences=_SWITCHED_INFERENCES * settings):
            continue
        sensitivities[precision] = _sensitivities(problem, default, each_s, () if place else near, patience, precision)
    by_weight, weight_probes = weight_distortions(problem, study, each_s, stage, patience)
    profiles = 0
    profiled = bool(groups or dimensions.widths) and not by_size
    if profiled and patience.allows(models=2 * PROFILED_MODELS, inferences=2 * PROFILED_INFERENCES):
        stage("profiling the float model and changed ones", 0, None)
        with clock.spent(Part.PROFILES):
            by_profile, profiles = profiled_gains(problem, patience)
            gains |= by_profile
    by_plan, plan_probes = _other_kinds(problem, stage, patience)
    alone: Mapping[str, float] = sensitivities[precisions[0]].alone if groups else {}
    choices, own_probes = _own_choices(problem, own, alone, each_s, stage, patience)
    whole = sum(next(iter(choices.values())) for choices in by_weight.values())
    recipes: dict[str, dict[Any, float]] = {}
    probes = Probes()
    if groups:
        with clock.spent(Part.RECIPES):
            whole, recipes, probes = _whole_models(problem, each_s, stage, patience)
    measured: list[Probes | Sensitivities] = [probes, plan_probes, weight_probes, own_probes, *sensitivities.values()]
    found = Knowledge(
        distortion={name: _of_unit(name, sensitivities, precisions) for name in groups} | by_weight | by_plan,
        gains=gains,
        whole=whole,
        interactions=_interactions(sensitivities, precisions),
        recipes=recipes,
        own=choices,
        neighbours=near,
        of_size=of_size,
        multiplied=multiplied,
        probes=Probes(
            models=sum(probe.models for probe in measured),
            inferences=sum(probe.inferences for probe in measured),
            profiles=profiles,
            seconds=clock.now() - started,
        ),
    )
    if patience.refused:
        clock.shorten("there was not the time to find out beforehand all that can be known of units and recipes.")
    else:
        study.remember(_KNOWLEDGE, found.to_dict())
    return found


def _unprobed(dimensions: Dimensions) -> Knowledge:
    """What is believed of distortions without time to probe: units distort alike, and widths more."""
    same = {name: dict.fromkeys(unit.choices[1:], 1.0) for name, unit in dimensions.units.items()}
    cut = {
        name: {word: _OF_WIDTHS * (1 - float(word)) for word in unit.choices[1:]}
        for name, unit in dimensions.widths.items()
    }
    return Knowledge(distortion=same | cut, gains={}, whole=float(len(same)))


def recall(problem: Problem, study: Study) -> Knowledge | None:
    """The knowledge of an earlier `learn`; None if there is none, or if it is not complete."""
    if problem.knowledge is not None:
        return problem.knowledge
    stored = study.recall(_KNOWLEDGE)
    return None if stored is None else Knowledge.from_dict(stored)


def _of_unit(
    name: str, sensitivities: Mapping[Precision, Sensitivities], precisions: Sequence[Precision]
) -> dict[str, float]:
    """Distortion of a unit by each precision; a precision without measurement has that of the usual one."""
    usual = sensitivities[precisions[0]]
    return {str(precision): sensitivities.get(precision, usual).alone[name] for precision in precisions}


def _interactions(
    sensitivities: Mapping[Precision, Sensitivities], precisions: Sequence[Precision]
) -> dict[tuple[Option, Option], float]:
    """Interactions of pairs of units with the usual precision."""
    return {
        ((one, str(usual)), (other, str(usual))): value
        for usual in precisions[:1]
        for (one, other), value in sensitivities[usual].interactions.items()
    }


def _no_gains(dimensions: Dimensions) -> dict[str, dict[str, float]]:
    return {name: dict.fromkeys(unit.choices[1:], 0.0) for name, unit in dimensions.units.items()}


def _other_kinds(problem: Problem, stage: Stage, patience: Patience) -> tuple[dict[str, dict[str, float]], Probes]:
    """Distortion of each choice of units without switches, and the cost of that: of widths, see `probed_shares`."""
    dimensions, default = problem.dimensions, problem.space.default_recipe()
    options = [
        (name, choice)
        for name, unit in dimensions.units.items()
        if name not in dimensions.groups and name not in dimensions.weights and name not in dimensions.widths
        for choice in unit.choices[1:]
    ]
    shares = {name: unit.choices[1:] for name, unit in dimensions.widths.items()}
    options += probed_shares(shares) if shares else []
    if not options:
        return {}, Probes()
    inputs, comparable = alike(problem.inputs, _RECIPE_INPUTS), Comparable.of(problem.model)
    reference = problem.evaluator.outputs(comparable.put_out_by(problem.model), inputs)
    found: dict[str, dict[str, float]] = {}
    models = 1
    for done, (name, choice) in enumerate(options):
        stage("measuring the sensitivity of single choices", done, len(options))
        # A choice without measurement counts as the worst one so far.
        value = max((v for choices in found.values() for v in choices.values() if math.isfinite(v)), default=1.0)
        if patience.allows(models=1, inferences=len(inputs)):
            models += 1
            try:
                plan = repaired_at_once(dimensions.plan_of({name: choice}, default))
                model = comparable.put_out_by(problem.builder.build(plan))
                value = distortion(reference, problem.evaluator.outputs(model, inputs), problem.space.sensitivity)
            except DeviceLostError:
                raise
            except DeviceError:
                value = math.inf
        elif not is_needed(choice, shares.get(name, (choice,))):
            continue
        found.setdefault(name, {})[choice] = value
    by_share = with_other_shares({name: found[name] for name in shares}, shares)
    return found | by_share, Probes(models=models, inferences=models * len(inputs))


def _sensitivities(
    problem: Problem,
    recipe: Recipe,
    seconds: float,
    pairs: Sequence[Pair],
    patience: Patience,
    precision: Precision,
) -> Sensitivities:
    """Distortion of each unit, and of pairs of units, with a recipe and a precision."""
    return measure_sensitivities(
        problem.builder,
        problem.model,
        problem.dimensions.groups,
        pairs,
        recipe,
        precision=precision,
        inputs=problem.inputs,
        evaluator=problem.evaluator,
        measure=problem.space.sensitivity,
        max_seconds=min(seconds, MOST_SECONDS),
        limit_s=seconds,
        given_up_after_s=patience.left_s,
        floats=problem.dimensions.floats,
    )


def _own_choices(
    problem: Problem,
    own: Mapping[str, Sequence[Any]],
    usual: Mapping[str, float],
    each_s: float,
    stage: Stage,
    patience: Patience,
) -> tuple[dict[str, dict[Any, dict[str, float]]], Probes]:
    """Distortion of each unit alone with each choice of its own recipe fields, and the cost of that."""
    default = problem.space.default_recipe()
    total, models, inferences = sum(len(choices) - 1 for choices in own.values()), 0, 0
    found: dict[str, dict[Any, dict[str, float]]] = {}
    for name, choices in own.items():
        first, *others = zip(choices, plain_choices(choices), strict=True)
        found[name] = {first[1]: dict(usual)}
        for choice, plain in others:
            if not patience.allows(models=_SWITCHED_MODELS, inferences=_SWITCHED_INFERENCES * len(usual)):
                break
            recipe = replace(default, **{name: choice})
            measured = _sensitivities(problem, recipe, each_s, (), patience, problem.space.quantized[0])
            found[name][plain] = dict(measured.alone)
            models, inferences = models + measured.models, inferences + measured.inferences
            done = sum(map(len, found.values())) - len(found)
            stage("measuring the sensitivity of units by their own choices", done, total)
    return found, Probes(models=models, inferences=inferences)


def _whole_models(
    problem: Problem, seconds: float, stage: Stage, patience: Patience
) -> tuple[float, dict[str, dict[Any, float]], Probes]:
    """Distortion of the whole quantized model, with the default recipe and with each that differs in one choice."""
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
                comparable.put_out_by(problem.builder.build(problem.whole(replace(default, **changes)))), inputs
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
            if choice == choices[0] or patience.allows(models=1, inferences=len(inputs))
        }
        for name, choices in varied.items()
    }
    return whole, recipes, Probes(models=1 + done, inferences=(1 + done) * len(inputs))
