"""What compressed weights distort, found out before any trial of them."""

from __future__ import annotations

from collections.abc import Mapping

from autoq.core import WeightFormat
from autoq.searching.problem._patience import Patience
from autoq.searching.problem._problem import Problem, Stage
from autoq.searching.sensitivity import ByChoice, Probes, measure_weight_sensitivities, spread_over_formats

# Number of inputs of one shape at most.
_INPUTS = 8


def weight_distortions(
    problem: Problem, seconds: float, stage: Stage, patience: Patience
) -> tuple[dict[str, Mapping[str, float]], Probes]:
    """Distortion of each weight alone in each of its formats by the parameter of its unit, and the cost of finding it.

    Without time for the runs, all weights count alike in their first format.

    Args:
        problem: What is searched.
        seconds: Seconds for the runs.
        stage: Told what happens.
        patience: The time of probing.
    """
    units = problem.dimensions.weights
    if not units:
        return {}, Probes()
    builder = problem.weight_builder
    formats = {unit.name: tuple(map(WeightFormat.parse, unit.choices[1:])) for unit in units.values()}
    builder.prepare(formats, lambda done, total: stage("rounding weights in each of their formats", done, total))
    if not patience.allows(models=2, inferences=2 * (1 + len(units))):
        found: ByChoice = spread_over_formats(builder, formats, dict.fromkeys(formats, 1.0))
        probes = Probes()
    else:
        stage(f"measuring the sensitivity of {len(units)} weights", 0, None)
        measured = measure_weight_sensitivities(
            builder,
            problem.model,
            formats,
            inputs=problem.inputs,
            evaluator=problem.evaluator,
            measure=problem.space.sensitivity,
            samples=_INPUTS,
            max_seconds=seconds,
            limit_s=seconds,
        )
        found, probes = measured.alone, Probes(models=1, inferences=measured.inferences)
    return {name: found[unit.name] for name, unit in units.items()}, probes
