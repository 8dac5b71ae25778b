"""Latency of a candidate beside one pinned baseline, on a machine that does other things too.

Candidate and baseline run in alternating bursts, so that what disturbs the one disturbs the other. The first inference
of a burst warms the caches that the other model left cold, and is dropped. A pair of bursts gives one ratio of
medians; pairs, not inferences, are resampled, because inferences of one burst are not independent.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import DeviceError, Estimate
from autoq.evaluation._records import Latency
from autoq.evaluation._runtime import Compiled, first_reason

# A burst is long enough for the clock and, beyond five inferences, no longer; fewer where one takes long itself.
_BURST = 5
_SHORTEST_BURST_S = 0.003
_LONGEST_BURST_S = 0.25
_WARM_UP_AGREEMENT = 0.03
_MAX_WARM_UP = 12
_MIN_PAIRS = 8
_RESAMPLES = 2000


def measure_latency(
    candidate: Compiled,
    baseline: Compiled,
    sample: Feed,
    *,
    max_seconds: float = 3.0,
    target_half_width: float = 0.02,
    confidence: float = 0.95,
    seed: int = 0,
) -> Latency:
    """Times a candidate beside a baseline until the ratio is known well enough or the time is up.

    Args:
        candidate: Model to be timed.
        baseline: Model to compare with.
        sample: Input of both.
        max_seconds: Cap on the measurement, warm-up not counted; eight pairs of bursts are always run.
        target_half_width: Stop once the interval of the ratio is this narrow, relative to the ratio.
        confidence: Nominal coverage of the interval.
        seed: Of the bootstrap.

    Raises:
        DeviceError: Inference fails.
    """
    requests = [compiled.compiled_model.create_infer_request() for compiled in (candidate, baseline)]
    rng = np.random.default_rng(seed)
    try:
        sizes = [_warm_up(request, sample) for request in requests]
        with _quiet_collector():
            times: tuple[list[NDArray[np.float64]], ...] = ([], [])
            deadline = time.perf_counter() + max_seconds
            while True:
                order = (0, 1) if len(times[0]) % 2 == 0 else (1, 0)
                for which in order:
                    times[which].append(_burst(requests[which], sample, sizes[which]))
                pairs = len(times[0])
                if pairs < _MIN_PAIRS:
                    continue
                if time.perf_counter() > deadline:
                    break
                if pairs % 4 == 0 and _narrow(_ratio(times, rng, confidence), target_half_width):
                    break
    except RuntimeError as error:
        msg = f"inference fails while it is timed: {first_reason(error)}"
        raise DeviceError(msg) from error
    own = 1e3 * np.concatenate(times[0])
    p25, p50, p90 = (float(value) for value in np.percentile(own, [25, 50, 90]))
    return Latency(
        ratio=_ratio(times, rng, confidence),
        p25_ms=p25,
        p50_ms=p50,
        p90_ms=p90,
        baseline_p50_ms=float(1e3 * np.median(np.concatenate(times[1]))),
        bursts=len(times[0]),
    )


@contextmanager
def _quiet_collector() -> Iterator[None]:
    """Keeps Python's garbage collector from running inside a burst."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _burst(request: ov.InferRequest, sample: Feed, size: int) -> NDArray[np.float64]:
    """Seconds of each inference of a burst, the first dropped."""
    request.infer(sample)
    ticks = np.empty(size + 1, np.int64)
    ticks[0] = time.perf_counter_ns()
    for index in range(size):
        request.infer()
        ticks[index + 1] = time.perf_counter_ns()
    return np.diff(ticks) / 1e9


def _warm_up(request: ov.InferRequest, sample: Feed) -> int:
    """Runs bursts until two in a row agree; returns how many inferences make a burst."""
    now = max(float(_burst(request, sample, 1)[0]), 1e-7)
    for _ in range(_MAX_WARM_UP):
        before, now = now, max(float(np.median(_burst(request, sample, _burst_size(now)))), 1e-7)
        if abs(now - before) <= _WARM_UP_AGREEMENT * before:
            break
    return _burst_size(now)


def _burst_size(seconds: float) -> int:
    usual = min(_BURST, max(1, int(_LONGEST_BURST_S / seconds)))
    return max(usual, int(np.ceil(_SHORTEST_BURST_S / seconds)))


def _ratio(times: tuple[list[NDArray[np.float64]], ...], rng: np.random.Generator, confidence: float) -> Estimate:
    """Median over pairs of the ratio of burst medians, with its bootstrap interval."""
    medians = np.array([[np.median(burst) for burst in side] for side in times])
    logs = np.log(medians[0] / medians[1])
    drawn = logs[rng.integers(0, len(logs), (_RESAMPLES, len(logs)))]
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.median(drawn, axis=1), [tail, 1 - tail])
    value = float(np.median(logs))
    return Estimate(float(np.exp(value)), float(np.exp(min(low, value))), float(np.exp(max(high, value))), confidence)


def _narrow(ratio: Estimate, target: float) -> bool:
    return (ratio.high - ratio.low) / 2 <= target * ratio.value
