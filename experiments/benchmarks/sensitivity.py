"""Sensitivity by switches beside the same measured one at a time: is it the same ranking, and what does it cost?

One at a time: for each unit a model with that unit alone in int8, run on all calibration samples. By switches: one
model, a few samples. Per case: Spearman's rank correlation of the two, inferences and wall time of both.

    python experiments/benchmarks/sensitivity.py [CASE ...] [--quick]
"""

from __future__ import annotations

import time

import numpy as np
from _cases import Case, run
from _lines import Lines
from scipy import stats

from autoq.calibration import as_inputs, collect
from autoq.core import ModelType, Plan, Precision, Recipe, RuntimePrecision
from autoq.evaluation.candidate import Evaluator
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.distortion import distortion
from autoq.graph import Placements
from autoq.searching.sensitivity import measure_sensitivities
from autoq.transform import CandidateBuilder

CALIBRATION = 300


def compare(case: Case, lines: Lines, *, quick: bool) -> None:
    """Prints the figures of one case."""
    count = 20 if quick else CALIBRATION
    inputs = as_inputs(case.model, case.calibration(count))
    kind = None if case.model_type is None else ModelType.parse(case.model_type)
    placements = Placements.of(case.model, model_type=kind)
    builder = CandidateBuilder(case.model, placements, collect(case.model, placements, inputs, subset_size=count))
    units = {group.name: (group.name,) for group in placements.reference.groups}
    recipe = Recipe(subset_size=count)
    evaluator = Evaluator(
        case.model,
        validation=case.validation(20),
        metric=case.metric,
        runtime=RuntimeConfig(inference_precision=RuntimePrecision.F32),
        sample=case.sample(),
        max_latency_seconds=0.1,
    )
    started = time.perf_counter()
    switched = measure_sensitivities(builder, case.model, units, (), recipe, inputs=inputs, evaluator=evaluator)
    marks = [started, time.perf_counter()]
    everything = list(inputs)
    reference = evaluator.outputs(case.model, everything)
    alone = {}
    for unit in units:
        plan = Plan.quantized(recipe, {u: Precision.INT8 if u == unit else Precision.FLOAT for u in units})
        alone[unit] = distortion(reference, evaluator.outputs(builder.build(plan), everything))
    marks.append(time.perf_counter())
    rank = stats.spearmanr([switched.alone[unit] for unit in units], [alone[unit] for unit in units]).statistic
    lines.figure(case.name, "rank_correlation", float(rank), goal=None if quick else ">= 0.9", units=len(units))
    inferences = switched.inferences, (len(units) + 1) * len(everything)
    lines.figure(case.name, "inferences", *inferences, goal=None if quick else ">= 10")
    lines.figure(case.name, "wall_s", *np.diff(marks).tolist())


if __name__ == "__main__":
    run("sensitivity", __doc__, compare)
