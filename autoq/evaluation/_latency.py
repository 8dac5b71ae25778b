"""Latency of a candidate beside one pinned baseline, on a machine that does other things too.

Candidate and baseline run in alternating bursts, so that what disturbs the one disturbs the other. The first inference
of a burst warms the caches that the other model left cold, and is dropped. A pair of bursts gives one ratio of
medians; pairs, not inferences, are resampled, because inferences of one burst are not independent.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from scipy import stats

from autoq.calibration import Feed
from autoq.core import DeviceError, Estimate
from autoq.evaluation._accuracy import t_interval
from autoq.evaluation._records import Latency
from autoq.evaluation._runtime import Compiled, first_reason

T = TypeVar("T")

# A burst is long enough for the clock and, beyond five inferences, no longer; fewer where one takes long itself.
_BURST = 5
_SHORTEST_BURST_S = 0.003
_LONGEST_BURST_S = 0.25
_WARM_UP_AGREEMENT = 0.03
_MAX_WARM_UP = 12
_MIN_PAIRS = 8
_RESAMPLES = 2000


def measure_latency(
    candidates: Sequence[Compiled],
    baselines: Sequence[Compiled],
    sample: Feed,
    *,
    max_seconds: float = 3.0,
    target_half_width: float = 0.02,
    confidence: float = 0.95,
    compilation_sd: float = 0.0,
    seed: int = 0,
) -> Latency:
    """Times a candidate beside a baseline until the ratio is known well enough or the time is up.

    A model that is compiled again is a few percent faster or slower, by where its memory happens to lie. So what holds
    for the model, and not for one compilation of it, takes several compilations of both, or the spread among them that
    was measured before.

    Args:
        candidates: Compilations of the model to be timed.
        baselines: As many of the model to compare with.
        sample: Input of both.
        max_seconds: Cap on the measurement, warm-up not counted; eight pairs of bursts, and two for each compilation,
            are always run.
        target_half_width: Stop once the interval of the ratio, `compilation_sd` left out, is this narrow, relative to
            the ratio.
        confidence: Nominal coverage of the interval.
        compilation_sd: Where there is one compilation of each, by how much the logarithm of the ratio differs from one
            pair of compilations to the next; 0 gives the interval of these two.
        seed: Of the bootstrap.

    Raises:
        DeviceError: Inference fails.
    """
    rng = np.random.default_rng(seed)
    try:
        made = _alternately(
            [partial(_Timed.warm, compiled, sample) for compiled in candidates],
            [partial(_Timed.warm, compiled, sample) for compiled in baselines],
        )
        pairs = list(zip(*made, strict=True))
        rounds = max(2, -(-_MIN_PAIRS // len(pairs)))
        with _quiet_collector():
            deadline = time.perf_counter() + max_seconds
            while True:
                for pair in pairs:
                    done = len(pair[0].bursts)
                    for timed in pair if done % 2 == 0 else reversed(pair):
                        timed.run(sample)
                if done + 1 < rounds:
                    continue
                if time.perf_counter() > deadline:
                    break
                # More bursts do not narrow what compilations differ by.
                if (done + 1 - rounds) % 4 == 0 and _narrow(_ratio(pairs, rng, confidence, 0.0), target_half_width):
                    break
    except RuntimeError as error:
        msg = f"inference fails while it is timed: {first_reason(error)}"
        raise DeviceError(msg) from error
    own, other = (1e3 * np.concatenate([burst for pair in pairs for burst in pair[side].bursts]) for side in (0, 1))
    p25, p50, p90 = (float(value) for value in np.percentile(own, [25, 50, 90]))
    return Latency(
        ratio=_ratio(pairs, rng, confidence, compilation_sd),
        p25_ms=p25,
        p50_ms=p50,
        p90_ms=p90,
        baseline_p50_ms=float(np.median(other)),
        bursts=sum(len(pair[0].bursts) for pair in pairs),
    )


def compile_pairs(
    candidate: Callable[[], Compiled], baseline: Callable[[], Compiled], count: int
) -> tuple[list[Compiled], list[Compiled]]:
    """Compiles two models several times each, for `measure_latency`.

    Their order alternates: what is compiled first finds other memory free, which would make all compilations of one of
    the models a little slower.

    Args:
        candidate: Compiles the model to be timed.
        baseline: Compiles the model to compare with.
        count: Compilations of each.

    Raises:
        DeviceError: (The function raised) a device refuses a model.
    """
    # The very first of all lies better or worse than every later one: it takes the gaps that earlier models left.
    spare = [candidate(), baseline()]
    made = _alternately([candidate] * count, [baseline] * count)
    del spare
    return made


def _alternately(first: Sequence[Callable[[], T]], second: Sequence[Callable[[], T]]) -> tuple[list[T], list[T]]:
    """What two rows of functions return, called in pairs: first and second, then second and first, and so on."""
    made: tuple[list[T], list[T]] = ([], [])
    for index, pair in enumerate(zip(first, second, strict=True)):
        for side in (0, 1) if index % 2 == 0 else (1, 0):
            made[side].append(pair[side]())
    return made


def compilation_spread(latencies: Iterable[Latency]) -> float:
    """How much the logarithm of the ratio differs between pairs of compilations of one model.

    Args:
        latencies: A model beside itself, each compiled anew.

    Returns:
        The standard deviation; the mean is known to be 0.
    """
    return float(np.sqrt(np.mean([np.log(latency.ratio.value) ** 2 for latency in latencies])))


def time_bursts(compiled: Compiled, sample: Feed, bursts: int, between: Callable[[int], object]) -> NDArray[np.float64]:
    """Times one compilation in bursts, something else run after each of them.

    Args:
        compiled: The compilation.
        sample: Its input.
        bursts: How many.
        between: Called after each burst with the inferences that it counted.

    Returns:
        Milliseconds of each inference, [n].
    """
    timed = _Timed.warm(compiled, sample)
    with _quiet_collector():
        for _ in range(bursts):
            timed.run(sample)
            between(timed.size)
    return 1e3 * np.concatenate(timed.bursts)


@dataclass(slots=True)
class _Timed:
    """One compilation and its bursts.

    Attributes:
        request: Runs it.
        size: Inferences of a burst that are counted.
        bursts: Seconds of each of them.
    """

    request: ov.InferRequest
    size: int
    bursts: list[NDArray[np.float64]] = field(default_factory=list)

    @classmethod
    def warm(cls, compiled: Compiled, sample: Feed) -> _Timed:
        """Runs a model until it is warm."""
        request = compiled.compiled_model.create_infer_request()
        return cls(request, _warm_up(request, sample))

    def run(self, sample: Feed) -> None:
        """Adds a burst."""
        self.bursts.append(_burst(self.request, sample, self.size))


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


def _ratio(
    pairs: Sequence[tuple[_Timed, ...]], rng: np.random.Generator, confidence: float, compilation_sd: float
) -> Estimate:
    """Ratio of burst medians: the median over bursts, and the geometric mean over compilations, with its interval."""
    logs = [np.log([np.median(a) / np.median(b) for a, b in zip(x.bursts, y.bursts, strict=True)]) for x, y in pairs]
    centres = np.array([np.median(values) for values in logs])
    value = float(centres.mean())
    if len(logs) > 1:
        # What bursts of one compilation differ by is in what the compilations differ by.
        low, high = t_interval(centres, confidence)
    else:
        drawn = logs[0][rng.integers(0, len(logs[0]), (_RESAMPLES, len(logs[0])))]
        tail = (1 - confidence) / 2
        ends = np.quantile(np.median(drawn, axis=1), [tail, 1 - tail]) - value
        between = float(stats.norm.ppf(1 - tail)) * compilation_sd
        low, high = value - np.hypot(min(ends[0], 0.0), between), value + np.hypot(max(ends[1], 0.0), between)
    return Estimate(float(np.exp(value)), float(np.exp(low)), float(np.exp(high)), confidence)


def _narrow(ratio: Estimate, target: float) -> bool:
    return (ratio.high - ratio.low) / 2 <= target * ratio.value
