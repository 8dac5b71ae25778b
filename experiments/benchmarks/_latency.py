"""Latency of two models of one case, over several instances of each."""

from __future__ import annotations

import openvino as ov
from _cases import Case
from _lines import Lines

from autoq.evaluation.candidate import size_bytes
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.latency import compile_pairs, measure_latency


def compare_latency(case: Case, lines: Lines, ours: ov.Model, theirs: ov.Model, *, seconds: float, quick: bool) -> None:
    """Prints the latency ratio over several compilations of each model."""
    timing = RuntimeConfig(num_threads=1, num_streams=1)
    pairs = compile_pairs(
        lambda: timing.compile(ours),
        lambda: timing.compile(theirs),
        max_seconds=seconds,
        size_bytes=size_bytes(ours) + size_bytes(theirs),
    )
    latency = measure_latency(*pairs, case.sample(), max_seconds=seconds, target_half_width=0.005)
    lines.figure(
        case.name,
        "latency_ratio",
        latency.ratio.value,
        goal=None if quick else "<= 1.03",
        interval=[round(value, 4) for value in (latency.ratio.low, latency.ratio.high)],
        ms=round(latency.p50_ms, 3),
    )
