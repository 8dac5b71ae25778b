"""Latency of a candidate beside one compiled baseline, on a machine that also runs other programs.

Candidate and baseline run in alternating bursts, so that a disturbance affects both. The first inference of a burst
warms the caches that the other model left cold, and is dropped. A pair of bursts gives one ratio of medians. Pairs are
resampled, not inferences, because the inferences of one burst are not independent. A model that is compiled for
throughput runs as many inferences at a time as it wants; its ratio is that of the time per inference.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import DeviceError, Estimate, reason
from autoq.evaluation.device import Compiled
from autoq.evaluation.latency._compilations import in_turns
from autoq.evaluation.latency._conditions import Conditions, ObservationStart
from autoq.evaluation.latency._continued import Continued
from autoq.evaluation.latency._latency_record import FirstToken, Latency
from autoq.evaluation.latency._timed import Timed, quiet_collector
from autoq.evaluation.statistics import normal_quantile, trimmed_mean

# With fewer pairs of bursts, their spread is not known.
MIN_PAIRS = 8
_MIN_ROUNDS = 4
_RESAMPLES = 2000


def measure_latency(
    candidates: Sequence[Compiled],
    baselines: Sequence[Compiled],
    sample: Feed | Continued,
    *,
    max_seconds: float = 3.0,
    target_half_width: float = 0.02,
    confidence: float = 0.95,
    compilation_sd: float = 0.0,
    seed: int = 0,
    pairs: int = MIN_PAIRS,
) -> Latency:
    """Times a candidate beside a baseline until the ratio is known well enough or the time is up.

    A model that is compiled again is a few percent faster or slower, depending on where its memory happens to lie. An
    interval that holds for the model, and not only for one compilation, needs several compilations of both models, or
    their spread from an earlier measurement.

    Args:
        candidates: Compilations of the model to be timed.
        baselines: As many compilations of the model to compare with.
        sample: Input of both models; of `Continued`, the tokens that follow a prompt count, and the prompt apart.
        max_seconds: Cap on the measurement without the warm-up. Eight pairs of bursts are always run, and four for each
            of several compilations.
        target_half_width: The measurement stops when the half width of the interval, relative to the ratio and without
            `compilation_sd`, is this small, and as many bursts again have been run.
        confidence: Nominal coverage of the interval.
        compilation_sd: Standard deviation of the logarithm of the ratio between pairs of compilations, used if there is
            one compilation of each model; 0 gives the interval of these two compilations.
        seed: Seed of the bootstrap.
        pairs: Least number of pairs of bursts of one compilation. The interval of fewer than eight is a rough one.

    Raises:
        DeviceError: Inference fails.
    """
    (latency,) = measure_latencies(
        [candidates],
        baselines,
        sample,
        max_seconds=max_seconds,
        target_half_width=target_half_width,
        confidence=confidence,
        compilation_sd=compilation_sd,
        seed=seed,
        pairs=pairs,
    )
    return latency


def measure_latencies(
    candidates: Sequence[Sequence[Compiled]],
    baselines: Sequence[Compiled],
    sample: Feed | Continued,
    *,
    max_seconds: float = 3.0,
    target_half_width: float = 0.02,
    confidence: float = 0.95,
    compilation_sd: float = 0.0,
    seed: int = 0,
    pairs: int = MIN_PAIRS,
) -> list[Latency]:
    """Times several candidates in turn beside one baseline, so that they are comparable with each other too.

    Args:
        candidates: Compilations of each candidate, as many as of the baseline.
        baselines: Compilations of the model to compare with.
        sample: As in `measure_latency`, as are all other arguments.
        max_seconds: Seconds for all candidates together.
        target_half_width: For each candidate.
        confidence: For each candidate.
        compilation_sd: For each candidate.
        seed: Seed of the bootstrap.
        pairs: As in `measure_latency`.

    Raises:
        DeviceError: Inference fails.
    """
    rng = np.random.default_rng(seed)
    observed = ObservationStart.now()
    try:
        made = in_turns(
            *([partial(Timed.warm, compiled, sample) for compiled in row] for row in (baselines, *candidates))
        )
        sets = list(zip(*made, strict=True))
        rounds = max(_MIN_ROUNDS if len(sets) > 1 else 0, -(-pairs // len(sets)))
        last = 0
        with quiet_collector():
            deadline = time.perf_counter() + max_seconds
            while True:
                for timed_set in sets:
                    done = len(timed_set[0].bursts)
                    for timed in timed_set if done % 2 == 0 else reversed(timed_set):
                        timed.run(sample)
                if done + 1 < rounds:
                    continue
                if done + 1 == last or time.perf_counter() > deadline:
                    break
                # More bursts do not reduce the spread of compilations.
                if (
                    not last
                    and (done + 1 - rounds) % 4 == 0
                    and all(_narrow(_ratio(row, made[0], rng, confidence, 0.0), target_half_width) for row in made[1:])
                ):
                    # An interval that is checked until it is narrow may be narrow by chance. So as many bursts again
                    # are run, whatever they give.
                    last = 2 * (done + 1)
    except RuntimeError as error:
        msg = f"inference fails while the model is timed: {reason(error)}"
        raise DeviceError(msg) from error
    conditions = observed.conditions()
    return [
        replace(
            _latency(row, made[0], _ratio(row, made[0], rng, confidence, compilation_sd), conditions),
            first_token=_first_token(row, made[0], rng, confidence, compilation_sd),
        )
        for row in made[1:]
    ]


def widened(latency: Latency, compilation_sd: float) -> Latency:
    """The latency with a wider interval, which holds for other compilations of the model too.

    Args:
        latency: Latency of one compilation of each model, measured without `compilation_sd`.
        compilation_sd: As in `measure_latency`.
    """
    logs, confidence = np.array(latency.log_ratios), latency.ratio.confidence
    rng = np.random.default_rng(0)
    return replace(latency, ratio=ratio_of_pairs(logs, rng, confidence=confidence, compilation_sd=compilation_sd))


def time_bursts(
    compiled: Compiled, sample: Feed | Continued, bursts: int, between: Callable[[int], object]
) -> NDArray[np.float64]:
    """Times one compilation in bursts, and calls a function after each burst.

    Args:
        compiled: The compilation.
        sample: Its input.
        bursts: Number of bursts.
        between: Called after each burst with the number of inferences that it counted.

    Returns:
        Milliseconds of each inference, [n].
    """
    timed = Timed.warm(compiled, sample)
    with quiet_collector():
        for _ in range(bursts):
            timed.run(sample)
            between(timed.size)
    return 1e3 * np.concatenate(timed.bursts)


def ratio_of_pairs(
    log_ratios: NDArray[np.float64], rng: np.random.Generator, *, confidence: float = 0.95, compilation_sd: float = 0.0
) -> Estimate:
    """The ratio from pairs of bursts of one compilation: their median, with its bootstrap interval.

    Args:
        log_ratios: Logarithm of the ratio of each pair, [pairs].
        rng: Generator of the bootstrap.
        confidence: Nominal coverage of the interval.
        compilation_sd: As in `measure_latency`.
    """
    value = float(np.median(log_ratios))
    drawn = log_ratios[rng.integers(0, len(log_ratios), (_RESAMPLES, len(log_ratios)))]
    tail = (1 - confidence) / 2
    ends = np.quantile(np.median(drawn, axis=1), [tail, 1 - tail]) - value
    between = normal_quantile(1 - tail) * compilation_sd
    low, high = value - np.hypot(min(ends[0], 0.0), between), value + np.hypot(max(ends[1], 0.0), between)
    return Estimate(float(np.exp(value)), float(np.exp(low)), float(np.exp(high)), confidence)


def _latency(own: Sequence[Timed], other: Sequence[Timed], ratio: Estimate, conditions: Conditions) -> Latency:
    """The latency from all bursts of the candidate's and the baseline's compilations."""
    times, baseline = (1e3 * np.concatenate([t for timed in row for t in timed.latencies]) for row in (own, other))
    p25, p50, p90 = (float(value) for value in np.percentile(times, [25, 50, 90]))
    return Latency(
        ratio=ratio,
        p25_ms=p25,
        p50_ms=p50,
        p90_ms=p90,
        baseline_p50_ms=float(np.median(baseline)),
        bursts=sum(len(timed.bursts) for timed in own),
        per_second=1 / float(np.median([np.median(burst) for timed in own for burst in timed.bursts])),
        conditions=conditions,
        log_ratios=tuple(np.concatenate(_log_ratios(own, other)).tolist()),
    )


def _first_token(
    own: Sequence[Timed], other: Sequence[Timed], rng: np.random.Generator, confidence: float, compilation_sd: float
) -> FirstToken | None:
    """The time to the first token from the prompts of all bursts; None without prompts."""
    if not own[0].prompts:
        return None
    p50_ms, baseline_p50_ms = (1e3 * float(np.median([s for t in row for s in t.prompts])) for row in (own, other))
    logs = [np.log(np.divide(x.prompts, y.prompts)) for x, y in zip(own, other, strict=True)]
    return FirstToken(_ratio_of(logs, rng, confidence, compilation_sd), p50_ms, baseline_p50_ms)


def _log_ratios(own: Sequence[Timed], other: Sequence[Timed]) -> list[NDArray[np.float64]]:
    """Logarithm of the ratio of each pair of burst medians, [pairs] by compilation."""
    return [
        np.log([np.median(a) / np.median(b) for a, b in zip(x.bursts, y.bursts, strict=True)])
        for x, y in zip(own, other, strict=True)
    ]


def _ratio(
    own: Sequence[Timed],
    other: Sequence[Timed],
    rng: np.random.Generator,
    confidence: float,
    compilation_sd: float,
) -> Estimate:
    """Ratio of burst medians, with its interval."""
    return _ratio_of(_log_ratios(own, other), rng, confidence, compilation_sd)


def _ratio_of(
    logs: Sequence[NDArray[np.float64]], rng: np.random.Generator, confidence: float, compilation_sd: float
) -> Estimate:
    """Ratio from logarithms, [pairs] by compilation: their median, and the trimmed mean over compilations."""
    if len(logs) == 1:
        return ratio_of_pairs(logs[0], rng, confidence=confidence, compilation_sd=compilation_sd)
    # The spread of compilations includes that of the bursts of one compilation.
    value, low, high = trimmed_mean(np.array([np.median(values) for values in logs]), confidence)
    return Estimate(float(np.exp(value)), float(np.exp(low)), float(np.exp(high)), confidence)


def _narrow(ratio: Estimate, target: float) -> bool:
    return (ratio.high - ratio.low) / 2 <= target * ratio.value
