"""What is known of the latency of one candidate."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from autoq.core import Estimate, brief_repr
from autoq.evaluation.latency._conditions import Conditions


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one inference beside the pinned float baseline's, measured in alternating bursts.

    Attributes:
        ratio: Candidate over baseline, with its interval; below 1 is faster.
        p25_ms: First quartile of the candidate.
        p50_ms: Median of the candidate.
        p90_ms: 90th percentile of the candidate.
        baseline_p50_ms: Median of the baseline in the same bursts.
        bursts: Pairs of bursts that the interval rests on.
        per_second: Inferences a second of the candidate, as many at a time as it was compiled for.
        conditions: What the machine did meanwhile.
        disturbed: Whether the timer failed its check against itself, so that the interval may be too narrow.
        log_ratios: Logarithm of the ratio of each pair of bursts; not kept in what is stored of a trial.
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
        # An interval that is not known, or holds models that take no time, has no upper end here.
        return Estimate(1 / ratio.value, 1 / ratio.high, 1 / ratio.low if ratio.low > 0 else math.inf, ratio.confidence)
