"""The latency of one candidate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autoq.core import Estimate, brief_repr
from autoq.evaluation.latency._conditions import Conditions


@dataclass(frozen=True, slots=True)
class FirstToken:
    """Time to the first token of a decoder, that of its prompt, beside that of the float baseline.

    Attributes:
        ratio: Candidate over baseline, with its interval.
        p50_ms: Median of the candidate.
        baseline_p50_ms: Median of the baseline.
    """

    ratio: Estimate
    p50_ms: float
    baseline_p50_ms: float

    @property
    def speedup(self) -> Estimate:
        """Baseline over candidate: how many times faster."""
        return _inverse(self.ratio)


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one inference beside that of the float baseline, measured in alternating bursts.

    Of a decoder that goes on after a prompt, an inference is a further token.

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
        first_token: Time of the prompt, where it was timed apart from the tokens that follow it.
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
    first_token: FirstToken | None = None
    log_ratios: tuple[float, ...] = field(default=(), compare=False, repr=False)

    __repr__ = brief_repr

    @property
    def speedup(self) -> Estimate:
        """Baseline over candidate: how many times faster."""
        return _inverse(self.ratio)

    @property
    def sample_p50_ms(self) -> float:
        """Median time of the whole sample: of its prompt, where that was timed apart."""
        return self.p50_ms if self.first_token is None else self.first_token.p50_ms


def combined(*latencies: Latency) -> Latency:
    """The latency of a model that was timed several times, each time in a compilation of its own.

    The logarithms of the ratios are averaged with inverse-variance weights (Cochran, "The combination of estimates from
    different experiments", 1954). All times get the same weights.

    Args:
        latencies: Independent latencies of one model with known intervals of the same confidence, one at least.
    """
    ratio, weights = _mean_ratio([latency.ratio for latency in latencies])
    times = {
        name: float(weights @ [getattr(latency, name) for latency in latencies])
        for name in ("p25_ms", "p50_ms", "p90_ms", "baseline_p50_ms", "per_second")
    }
    return Latency(
        ratio=ratio,
        bursts=sum(latency.bursts for latency in latencies),
        conditions=latencies[-1].conditions,
        disturbed=any(latency.disturbed for latency in latencies),
        first_token=_combined_first([latency.first_token for latency in latencies]),
        log_ratios=tuple(value for latency in latencies for value in latency.log_ratios),
        **times,
    )


def _combined_first(found: Sequence[FirstToken | None]) -> FirstToken | None:
    """The time to the first token from several measurements; None if one of them has none."""
    known = [first for first in found if first is not None]
    if len(known) < len(found):
        return None
    ratio, weights = _mean_ratio([first.ratio for first in known])
    p50_ms, baseline_p50_ms = (
        float(weights @ [getattr(first, name) for first in known]) for name in ("p50_ms", "baseline_p50_ms")
    )
    return FirstToken(ratio, p50_ms, baseline_p50_ms)


def _mean_ratio(ratios: Sequence[Estimate]) -> tuple[Estimate, NDArray[np.float64]]:
    """The mean of ratios of the same confidence, and the weight of each."""
    logs, lows, highs = (np.log([getattr(ratio, end) for ratio in ratios]) for end in ("value", "low", "high"))
    weights = 1 / np.maximum(highs - lows, 1e-9) ** 2
    weights /= weights.sum()
    value = float(weights @ logs)
    below, above = (float(np.linalg.norm(weights * width)) for width in (logs - lows, highs - logs))
    low, middle, high = np.exp([value - below, value, value + above]).tolist()
    return Estimate(middle, low, high, ratios[0].confidence), weights


def _inverse(ratio: Estimate) -> Estimate:
    """One over a ratio. If the interval is unknown or holds a ratio of 0, its inverse has no upper end."""
    return Estimate(1 / ratio.value, 1 / ratio.high, 1 / ratio.low if ratio.low > 0 else math.inf, ratio.confidence)
