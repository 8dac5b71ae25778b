"""What compressed weights distort, found out before most trials of them.

In a short search, inputs of tokens are cut, and the errors of other formats are taken from some of the weights: they
differ little from layer to layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from autoq.calibration import Feed
from autoq.core import WeightFormat
from autoq.searching.problem._patience import Patience
from autoq.searching.problem._problem import Problem, Stage
from autoq.searching.records import Part, TrialState
from autoq.searching.sensitivity import ByChoice, Probes, measure_weight_sensitivities, spread_over_formats
from autoq.searching.study import Study

# Number of inputs of one shape at most, and the fewest tokens of a cut one.
_INPUTS, _FEWEST_TOKENS = 8, 16
# Share of these for which there has to be time, as far as that is known.
_LEAST_SHARE = 0.25
# A model with switches computes each layer with both of its weights.
_BOTH = 2.0
# Share of the time of probing in which weights are rounded, and the fewest that are.
_ROUNDING_SHARE, _FEWEST_ROUNDED = 0.5, 8

Formats = Mapping[str, Sequence[WeightFormat]]


def weight_distortions(
    problem: Problem, study: Study, seconds: float, stage: Stage, patience: Patience
) -> tuple[dict[str, Mapping[str, float]], Probes]:
    """Distortion of each weight alone in each of its formats by the parameter of its unit, and the cost of finding it.

    Without time for the runs, all weights count alike in their first format.

    Args:
        problem: What is searched.
        study: Its trials tell how long it takes to round weights.
        seconds: Seconds for the runs.
        stage: Told what happens.
        patience: The time of probing.
    """
    units = problem.dimensions.weights
    if not units:
        return {}, Probes()
    builder = problem.weight_builder
    formats = {unit.name: tuple(map(WeightFormat.parse, unit.choices[1:])) for unit in units.values()}
    rounded = _rounded_first(formats, study, seconds, limited=patience.clock.is_limited)
    inputs = _short_inputs(problem, study, seconds, len(units)) if patience.clock.is_limited else problem.inputs
    if inputs is None:
        patience.refused = True
        by_weight, probes = dict.fromkeys(formats, 1.0), Probes()
    else:
        stage(f"measuring the sensitivity of {len(units)} weights", 0, None)
        measured = measure_weight_sensitivities(
            builder,
            problem.model,
            {name: own[:1] for name, own in formats.items()},
            inputs=inputs,
            evaluator=problem.evaluator,
            measure=problem.space.sensitivity,
            samples=_INPUTS,
            max_seconds=seconds,
            limit_s=seconds,
        )
        by_weight = {name: next(iter(own.values())) for name, own in measured.alone.items()}
        probes = Probes(models=1, inferences=measured.inferences)
    builder.prepare(
        {name: formats[name] for name in rounded},
        lambda done, total: stage("rounding weights in each of their formats", done, total),
    )
    found: ByChoice = spread_over_formats(builder, formats, by_weight, rounded)
    return {name: found[unit.name] for name, unit in units.items()}, probes


def _rounded_first(formats: Formats, study: Study, seconds: float, *, limited: bool) -> list[str]:
    """The weights that are rounded in all of their formats: all, or as many as there is time for, evenly spread."""
    names = list(formats)
    told = [record for record in study.records() if record.state is TrialState.COMPLETE and record.plan.compresses]
    if not limited or not told:
        return names
    # The first trial has rounded every weight once.
    each_s = max(record.seconds.get(Part.BUILD, 0.0) for record in told) / len(names)
    others = sum(len(own) - 1 for own in formats.values())
    share = _ROUNDING_SHARE * seconds / max(each_s * others, 1e-9)
    count = min(max(int(share * len(names)), _FEWEST_ROUNDED), len(names))
    return [names[int(place)] for place in np.linspace(0, len(names) - 1, count).round()]


def _short_inputs(problem: Problem, study: Study, seconds: float, units: int) -> Sequence[Feed] | None:
    """Inputs that each weight can be run on in some time, cut where they hold tokens; None if there is no time."""
    evaluator = problem.evaluator
    rates = [
        record.seconds[Part.SCORE] / max(record.evaluation.accuracy.n, 1)
        for record in study.records()
        if record.evaluation is not None and Part.SCORE in record.seconds
    ]
    one_s = max(rates, default=evaluator.float_seconds / max(evaluator.float_accuracy.n, 1))
    share = seconds / max(_BOTH * one_s * (1 + units), 1e-9)
    if share >= 1:
        return problem.inputs
    first = problem.inputs[0]
    length = max((value.shape[1] for value in first.values() if _holds_tokens(value)), default=0)
    if share * length < _LEAST_SHARE * _FEWEST_TOKENS:
        return None
    kept = max(math.floor(share * length), _FEWEST_TOKENS)
    few = min(_INPUTS, len(problem.inputs))
    return [{name: _cut(value, kept) for name, value in problem.inputs[place].items()} for place in range(few)]


def _holds_tokens(value: np.ndarray) -> bool:
    """Whether an input is a row of token numbers, or of what belongs to each of them."""
    return value.ndim == 2 and value.shape[0] == 1 and np.issubdtype(value.dtype, np.integer)


def _cut(value: np.ndarray, tokens: int) -> np.ndarray:
    return value[:, :tokens] if _holds_tokens(value) else value
