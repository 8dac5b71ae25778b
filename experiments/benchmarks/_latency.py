"""Latency of two models of one case, over several instances of each."""

from __future__ import annotations

import math
import statistics

import numpy as np
import openvino as ov
from _cases import Case
from _lines import Lines

from autoq.evaluation import RuntimeConfig, mean_interval, measure_latency


def compare_latency(case: Case, lines: Lines, ours: ov.Model, theirs: ov.Model, *, instances: int, quick: bool) -> None:
    """Prints the latency ratio, over several instances of each model.

    A model compiled twice is a few percent faster or slower each time, by where its memory happens to lie; which of the
    two is compiled, and measured, first takes turns.
    """
    timing = RuntimeConfig(num_threads=1, num_streams=1)
    logs, milliseconds = [], []
    for index in range(instances):
        pair = (ours, theirs) if index % 2 == 0 else (theirs, ours)
        latency = measure_latency(*(timing.compile(model) for model in pair), case.sample(), max_seconds=4)
        logs.append(math.log(latency.ratio.value) * (1 if index % 2 == 0 else -1))
        milliseconds.append(latency.p50_ms if index % 2 == 0 else latency.baseline_p50_ms)
    ratio = mean_interval(np.array(logs))
    lines.figure(
        case.name,
        "latency_ratio",
        math.exp(ratio.value),
        goal=None if quick else "<= 1.03",
        interval=[round(math.exp(value), 4) for value in (ratio.low, ratio.high)],
        ms=round(statistics.median(milliseconds), 3),
    )
