"""Calibration beside `nncf.quantize`: a whole quantization, collecting alone, and changing one's mind.

Per case: wall time and peak memory of both calls, each in a process of its own, in turn, with statistics collected in
f32 and in bf16; time per sample of collecting statistics in f32 beside plain f32 inference under the same settings,
compilation left out (the difference between many samples and few); and the time for ten further combinations of preset,
range estimator and subset, which autoq builds from the statistics that it has, and NNCF collects for again.

    python experiments/benchmarks/calibration.py [CASE ...] [--quick]
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import openvino as ov
from _cases import Case, run
from _child import quantize_in_child
from _lines import Lines
from _peer import quantize_with

import autoq
from autoq.calibration import ModelInputs, Needs, as_inputs, infer_all
from autoq.core import Plan, Preset, RangeEstimator, Recipe
from autoq.graph import Placements
from autoq.transform import CandidateBuilder

COMBINATIONS = list(
    itertools.product(
        (Preset.PERFORMANCE, Preset.MIXED),
        ((RangeEstimator.MEAN_MIN_MAX, 300), (RangeEstimator.MEAN_MIN_MAX, 100), (RangeEstimator.MIN_MAX, 300),
         (RangeEstimator.MIN_MAX, 100), (RangeEstimator.MEDIAN_MIN_MAX, 300)),
    )
)  # fmt: skip


def compare(case: Case, lines: Lines, *, quick: bool) -> None:
    """Prints the figures of one case."""
    subset, repeats = (20, 1) if quick else (300, 3)
    goals = case.convolutional and not quick
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "m.xml"
        costs = [
            (
                quantize_in_child("autoq", case.name, subset, out),
                quantize_in_child("nncf", case.name, subset, out),
                quantize_in_child("autoq", case.name, subset, out, precision="bf16"),
            )
            for _ in range(repeats)
        ]
    exact, peer, fast = ([cost.wall_s for cost in side] for side in zip(*costs, strict=True))
    peak = [statistics.median(cost.peak_bytes for cost in side) / 2**20 for side in zip(*costs, strict=True)]
    for figure, ours, goal in (("quantize_s", exact, ">= 2.5"), ("quantize_with_bf16_statistics_s", fast, ">= 5")):
        lines.figure(case.name, figure, statistics.median(ours), statistics.median(peer), goal=goal if goals else None)
    lines.figure(case.name, "peak_memory_mib", *peak[:2], goal=None if quick else ">= 1")

    model, samples = case.model, case.calibration(subset)
    inputs = as_inputs(model, samples)
    placements = Placements.of(model, model_type=case.model_type)
    needs = Needs.of([plan(*COMBINATIONS[0], case, subset).quantization.recipe])
    ratios, per_sample = [], []
    for _ in range(4 * repeats):
        collecting = slope(lambda n: autoq.collect(model, placements, inputs, needs=needs, subset_size=n), subset)
        plain = slope(lambda n: infer(model, inputs, n), subset)
        ratios.append(collecting / plain)
        per_sample.append(1000 * collecting)
    lines.figure(
        case.name,
        "over_plain_inference",
        statistics.median(ratios),
        goal="<= 1.35" if goals else None,
        ms_per_sample=round(statistics.median(per_sample), 3),
    )

    recipes = [plan(*combination, case, subset).quantization.recipe for combination in COMBINATIONS]
    collected = autoq.collect(model, placements, inputs, needs=Needs.of(recipes), subset_size=subset)
    builder = CandidateBuilder(model, placements, collected)
    builder.build(plan(*COMBINATIONS[0], case, subset))
    chosen = COMBINATIONS[1:3] if quick else COMBINATIONS
    ours = sum(seconds(lambda c=c: builder.build(plan(*c, case, subset))) for c in chosen)
    theirs = sum(
        seconds(
            lambda c=c: quantize_with(
                plan(*c, case, subset).quantization.recipe, model.clone(), samples, case.model_type
            )
        )
        for c in chosen
    )
    lines.figure(case.name, "further_combinations_s", ours, theirs, goal=None if quick else ">= 30", n=len(chosen))


def plan(preset: Preset, choice: tuple[RangeEstimator, int], case: Case, subset: int) -> Plan:
    """One combination; the smoothing that both tools apply to a transformer is a part of it."""
    estimator, size = choice
    alpha = 0.95 if case.model_type == "transformer" else None
    return Plan.quantized(
        Recipe(preset=preset, range_estimator=estimator, subset_size=min(size, subset), smooth_quant_alpha=alpha)
    )


def infer(model: ov.Model, inputs: ModelInputs, count: int) -> None:
    """Plain f32 inference over the first samples, as many requests at a time as when statistics are collected."""
    settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
    compiled = ov.Core().compile_model(model, "CPU", settings)
    infer_all(compiled, (inputs[index] for index in range(count)), lambda _: None)


def slope(function: Callable[[int], object], most: int) -> float:
    """Seconds per sample, from a run over all of them and one over a fifth."""
    few = most // 5
    started = seconds(lambda: function(few))
    return (seconds(lambda: function(most)) - started) / (most - few)


def seconds(function: Callable[[], object]) -> float:
    """Wall time of a call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


if __name__ == "__main__":
    run("calibration", __doc__, compare)
