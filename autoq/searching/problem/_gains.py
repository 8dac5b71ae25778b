"""What choices are expected to gain, before any trial of them: by profiles, or by the bytes that they save."""

from __future__ import annotations

import warnings

from autoq.core import Against, DeviceError, DeviceLostError
from autoq.evaluation.candidate import size_bytes
from autoq.evaluation.execution import Profile
from autoq.searching.problem._patience import Patience
from autoq.searching.problem._problem import Problem
from autoq.searching.problem._sizes import saved_bytes
from autoq.searching.problem._widths import repaired_at_once
from autoq.searching.sensitivity import branch_gains, latency_gains, smooth_gains, width_gains
from autoq.searching.space import GONE

Gains = dict[str, dict[str, float]]
# Cost of a profile, in candidates and in inferences.
PROFILED_MODELS, PROFILED_INFERENCES = 2.5, 150


def gains_by_size(problem: Problem) -> Gains:
    """Expected fall of the cost of weights by choice: the share of the model's bytes that it saves.

    A token of a language model takes as long as its weights take to be read. Against size, this holds for all units.
    """
    total, weights = size_bytes(problem.model), problem.dimensions.weights
    return {
        name: {word: value / total for word, value in saved.items()}
        for name, saved in saved_bytes(problem).items()
        if name in weights or problem.against is Against.SIZE
    }


def profiled_gains(problem: Problem, patience: Patience) -> tuple[Gains, int]:
    """Expected fall of the latency ratio by choice, and the number of profiles; without profiles it is 0.

    Widths are profiled by models in which all groups keep one share; those that there is no time for gain as much as
    the share before.

    Args:
        problem: What is searched.
        patience: The time of probing.
    """
    gains: Gains = {}
    profiles = 0
    try:
        before = problem.evaluator.profile(problem.model, problem.placements.reference)
        profiles += 1
        profiles += _of_precisions(problem, before, gains)
        profiles += _of_widths(problem, before, gains, patience)
    except DeviceLostError:
        raise
    except DeviceError as error:
        warnings.warn(f"the gain of each unit is not known beforehand: {error}", stacklevel=2)
    return gains, profiles


def _of_precisions(problem: Problem, before: Profile, gains: Gains) -> int:
    """Adds the gains of each precision; the number of profiles."""
    dimensions, default, graph = problem.dimensions, problem.space.default_recipe(), problem.placements.reference
    precisions = problem.space.quantized if dimensions.groups else ()
    for precision in precisions:
        plan = dimensions.plan_of(dict.fromkeys(dimensions.groups, str(precision)), default)
        after = problem.evaluator.profile(problem.builder.build(plan), graph, plan)
        for name, gain in latency_gains(before, after, dimensions.groups).items():
            gains.setdefault(name, {})[str(precision)] = gain
    return len(precisions)


def _of_widths(problem: Problem, before: Profile, gains: Gains, patience: Patience) -> int:
    """Adds the gains of each share; the number of profiles."""
    dimensions, done = problem.dimensions, 0
    if problem.widths is None:
        return 0
    pruner, widths = problem.widths.pruner, dimensions.widths
    longest = sorted(widths.values(), key=lambda unit: -len(unit.choices))
    for word in dict.fromkeys(word for unit in longest for word in unit.choices[1:] if float(word)):
        if not patience.allows(models=PROFILED_MODELS, inferences=PROFILED_INFERENCES):
            break
        chosen = {name: word for name, unit in widths.items() if word in unit.choices}
        plan = repaired_at_once(dimensions.plan_of(chosen, problem.space.default_recipe()))
        after = problem.evaluator.profile(problem.builder.build(plan), problem.placements.reference, plan)
        done += 1
        kept = pruner.shares(plan.pruning)
        found = width_gains(before, after, pruner.graph, kept)
        for name in chosen:
            gains.setdefault(name, {})[word] = found[widths[name].name]
    of_branches = branch_gains(before, pruner.graph)
    for name, unit in widths.items():
        if GONE in unit.choices:
            gains.setdefault(name, {})[GONE] = of_branches[unit.name]
    gains |= smooth_gains({name: gains[name] for name in widths if name in gains})
    for name, unit in widths.items():
        for last, word in zip(("", *unit.choices[1:]), unit.choices[1:], strict=False):
            own = gains.setdefault(name, {})
            own.setdefault(word, own.get(last, 0.0))
    return done
