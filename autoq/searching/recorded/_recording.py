"""Measurements of one plan of a recorded table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoq.evaluation.latency import Latency
from autoq.evaluation.scoring import Scores
from autoq.searching.records import Part

TIMES = ("p25_ms", "p50_ms", "p90_ms", "baseline_p50_ms", "per_second")
# The parts of a trial whose seconds are recorded.
MEASURED = (Part.BUILD, Part.COMPILE, Part.SCORE, Part.TIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Measurements of one plan.

    Attributes:
        fingerprint: Fingerprint of its model.
        quantized_sites: Number of quantizers in the model.
        size_bytes: Size of its weights.
        scores: Scores by sample, [samples].
        latency: Latency beside the float model, both compiled once; its bursts are kept.
        seconds: Wall time by part: those of `MEASURED`.
    """

    fingerprint: str
    quantized_sites: int
    size_bytes: int
    scores: Scores
    latency: Latency
    seconds: Mapping[str, float]
