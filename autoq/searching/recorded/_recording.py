"""What one plan of a recorded table did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoq.evaluation.latency import Latency
from autoq.evaluation.scoring import Scores

TIMES = ("p25_ms", "p50_ms", "p90_ms", "baseline_p50_ms", "per_second")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one plan did.

    Attributes:
        fingerprint: Of the model that it builds.
        quantized_sites: Quantizers that stand in that.
        size_bytes: Of its weights.
        scores: By sample, [samples].
        latency: Beside the float model, each compiled once; its bursts are kept.
        seconds: Wall time of `build`, `compile`, `accuracy` and `latency`.
    """

    fingerprint: str
    quantized_sites: int
    size_bytes: int
    scores: Scores
    latency: Latency
    seconds: Mapping[str, float]
