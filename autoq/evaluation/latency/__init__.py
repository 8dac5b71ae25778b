"""Latency: paired timing in alternating bursts."""

from autoq.evaluation.latency._compilations import compilation_spread, compilations_within, compile_pairs
from autoq.evaluation.latency._conditions import Conditions
from autoq.evaluation.latency._continued import Continued, timed_part
from autoq.evaluation.latency._latency import (
    MIN_PAIRS,
    measure_latencies,
    measure_latency,
    ratio_of_pairs,
    time_bursts,
    widened,
)
from autoq.evaluation.latency._latency_record import FirstToken, Latency, combined
from autoq.evaluation.latency._timed import burst_seconds
from autoq.evaluation.latency._timer_check import busy_note, shown_faster, speed_text, time_text, timer_error

__all__ = [
    "MIN_PAIRS",
    "Conditions",
    "Continued",
    "FirstToken",
    "Latency",
    "burst_seconds",
    "busy_note",
    "combined",
    "compilation_spread",
    "compilations_within",
    "compile_pairs",
    "measure_latencies",
    "measure_latency",
    "ratio_of_pairs",
    "shown_faster",
    "speed_text",
    "time_bursts",
    "time_text",
    "timed_part",
    "timer_error",
    "widened",
]
