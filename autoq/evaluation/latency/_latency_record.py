"""The latency of one candidate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from autoq.core import Estimate, brief_repr
from autoq.evaluation.latency._conditions import Conditions


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one inference beside that of the float baseline, measured in alternating bursts.

    Attributes:
        ratio: Candidate over baseline, with its interval; below 1 is faster.
        p25_ms: First quartile of the candidate.
        p50_ms: Median of the candidate.
        p90_ms: 90th percentile of the candidate.
        baseline_p50_ms: Median of the baseline in the same bursts.
        bursts: Number of pairs of bursts behind the interval.
        per_second: Inferences of the candidate by second, with as many at a time as it was compiled for.
        conditions: Conditions of the machine meanwhile.
        disturbed: Whether the timer failed its check; the interval may then be too narrow.
        log_ratios: Logarithm of the ratio of each pair of bursts; the record of a trial does not store them.
    """

    ratio: Estimate
    p25_ms: float
    p50_ms: float
    p90_ms: float
    baseline_p50_ms: float
    bursts: int
    per_second: float
    conditions: Conditions
    disturbed: bool = False
    log_ratios: tuple[float, ...] = field(default=(), compare=False, repr=False)

    __repr__ = brief_repr

    @property
    def speedup(self) -> Estimate:
        """Baseline over candidate: how many times faster."""
        ratio = self.ratio
        # If the interval is unknown or holds a ratio of 0, the speed-up has no upper end.
        return Estimate(1 / ratio.value, 1 / ratio.high, 1 / ratio.low if ratio.low > 0 else math.inf, ratio.confidence)


def combined(*latencies: Latency) -> Latency:
    """The latency of a model that was timed several times, each time in a compilation of its own.

    The logarithms of the ratios are averaged with inverse-variance weights (Cochran, "The combination of estimates from
    different experiments", 1954). All times get the same weights.

    Args:
        latencies: Independent latencies of one model with known intervals of the same confidence, one at least.
    """
    ratios = [latency.ratio for latency in latencies]
    logs, lows, highs = (np.log([getattr(ratio, end) for ratio in ratios]) for end in ("value", "low", "high"))
    weights = 1 / np.maximum(highs - lows, 1e-9) ** 2
    weights /= weights.sum()
    value = float(weights @ logs)
    below, above = (float(np.linalg.norm(weights * width)) for width in (logs - lows, highs - logs))
    low, middle, high = np.exp([value - below, value, value + above]).tolist()
    times = {
        name: float(weights @ [getattr(latency, name) for latency in latencies])
        for name in ("p25_ms", "p50_ms", "p90_ms", "baseline_p50_ms", "per_second")
    }
    return Latency(
        ratio=Estimate(middle, low, high, ratios[0].confidence),
        bursts=sum(latency.bursts for latency in latencies),
        conditions=latencies[-1].conditions,
        disturbed=any(latency.disturbed for latency in latencies),
        log_ratios=tuple(value for latency in latencies for value in latency.log_ratios),
        **times,
    )
