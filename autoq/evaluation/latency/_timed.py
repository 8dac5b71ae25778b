"""Bursts of inferences of one compilation."""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import ResetState
from autoq.evaluation.device import Compiled
from autoq.evaluation.latency._continued import Continued
from autoq.evaluation.latency._latency_record import Latency

Seconds = NDArray[np.float64]

# A burst is long enough for the clock. It has more than five inferences only if the clock needs them, and fewer if one
# takes long.
_BURST = 5
_SHORTEST_BURST_S = 0.003
_LONGEST_BURST_S = 0.25
_WARM_UP_AGREEMENT = 0.03
_MAX_WARM_UP = 12


@dataclass(slots=True)
class Timed:
    """One compilation and its bursts.

    Attributes:
        requests: Requests that run it: one, or as many as a model wants that is compiled for throughput.
        size: Number of inferences of a burst that count.
        fresh: Whether the model has a state that is reset before each inference, outside of what is timed.
        bursts: Seconds of each inference of a burst; with several requests, their common mean.
        latencies: Seconds from the start to the end of each inference.
        prompts: Seconds of the prompt of each burst, where further tokens are timed.
    """

    requests: Sequence[ov.InferRequest]
    size: int = 1
    fresh: bool = False
    bursts: list[Seconds] = field(default_factory=list)
    latencies: list[Seconds] = field(default_factory=list)
    prompts: list[float] = field(default_factory=list)

    @classmethod
    def warm(cls, compiled: Compiled, sample: Feed | Continued) -> Timed:
        """Runs a model until two bursts in a row agree. Tokens that follow a prompt are those of one request."""
        count = 1 if isinstance(sample, Continued) else _requests(compiled)
        requests = [compiled.compiled_model.create_infer_request() for _ in range(count)]
        # Each request runs in every burst: a request that is still running would be refused in the next burst.
        fresh = compiled.reset_state is ResetState.SAMPLE and bool(requests[0].query_state())
        made = cls(requests, size=len(requests), fresh=fresh)
        now = made._burst(sample)
        for _ in range(_MAX_WARM_UP):
            made.size = max(_burst_size(now, made._prompt_s), len(requests))
            before, now = now, made._burst(sample)
            if abs(now - before) <= _WARM_UP_AGREEMENT * before:
                break
        made.size = max(_burst_size(now, made._prompt_s), len(requests))
        made.bursts.clear()
        made.latencies.clear()
        made.prompts.clear()
        return made

    def run(self, sample: Feed | Continued) -> None:
        """Runs a burst and adds it. The first inference of each request does not count."""
        for request in self.requests:
            # A state that grows would make each burst slower than the one before.
            request.reset_state()
        if isinstance(sample, Continued):
            prompt_s, burst = _further(self.requests[0], sample, self.size)
            self.prompts.append(prompt_s)
            latencies = burst
        elif len(self.requests) == 1:
            burst = (_each_fresh if self.fresh else _one_by_one)(self.requests[0], sample, self.size)
            latencies = burst
        else:
            burst, latencies = _all_at_once(self.requests, sample, self.size, fresh=self.fresh)
        self.bursts.append(burst)
        self.latencies.append(latencies)

    @property
    def _prompt_s(self) -> float:
        return self.prompts[-1] if self.prompts else 0.0

    def _burst(self, sample: Feed | Continued) -> float:
        self.run(sample)
        return max(float(np.median(self.bursts[-1])), 1e-7)


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Keeps Python's garbage collector from running inside a burst."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _requests(compiled: Compiled) -> int:
    """Number of inferences at a time that a compilation is made for."""
    if compiled.properties.get("PERFORMANCE_HINT", "LATENCY") == "LATENCY":
        return 1
    return int(compiled.properties.get("OPTIMAL_NUMBER_OF_INFER_REQUESTS", 1))


def _one_by_one(request: ov.InferRequest, sample: Feed, size: int) -> Seconds:
    """Seconds of each inference."""
    request.infer(sample)
    ticks = np.empty(size + 1, np.int64)
    ticks[0] = time.perf_counter_ns()
    for index in range(size):
        request.infer()
        ticks[index + 1] = time.perf_counter_ns()
    return np.diff(ticks) / 1e9


def _each_fresh(request: ov.InferRequest, sample: Feed, size: int) -> Seconds:
    """Seconds of each inference, with the state of a first one."""
    request.infer(sample)
    seconds = np.empty(size)
    for index in range(size):
        request.reset_state()
        began = time.perf_counter_ns()
        request.infer()
        seconds[index] = (time.perf_counter_ns() - began) / 1e9
    return seconds


def _further(request: ov.InferRequest, sample: Continued, size: int) -> tuple[float, Seconds]:
    """Seconds of a prompt, and of each token that follows it; the first of these tokens does not count."""
    steps = [sample.step(number) for number in range(size + 1)]
    began = time.perf_counter_ns()
    request.infer(sample.prompt)
    prompt_s = (time.perf_counter_ns() - began) / 1e9
    ticks = np.empty(size + 1, np.int64)
    for index, step in enumerate(steps):
        request.infer(step)
        ticks[index] = time.perf_counter_ns()
    return prompt_s, np.diff(ticks) / 1e9


def _all_at_once(
    requests: Sequence[ov.InferRequest], sample: Feed, size: int, *, fresh: bool
) -> tuple[Seconds, Seconds]:
    """Seconds per inference, [1], and from start to end of each, [size]."""
    for request in requests:
        request.infer(sample)
        if fresh:
            request.reset_state()
    latencies = np.empty(size)
    started = time.perf_counter_ns()
    running: deque[ov.InferRequest] = deque()
    for request in requests:
        request.start_async()
        running.append(request)
    for index in range(size):
        request = running.popleft()
        request.wait()
        latencies[index] = request.latency / 1e3
        if index + len(requests) < size:
            if fresh:
                request.reset_state()
            request.start_async()
            running.append(request)
    return np.array([(time.perf_counter_ns() - started) / 1e9 / size]), latencies


def burst_seconds(latency: Latency) -> float:
    """Seconds of a burst of a model, with the inference that does not count, and with its prompt."""
    seconds = max(latency.p50_ms / 1e3, 1e-9)
    prompt_s = 0.0 if latency.first_token is None else latency.first_token.p50_ms / 1e3
    return prompt_s + (1 + _burst_size(seconds, prompt_s)) * seconds


def _burst_size(seconds: float, prompt_s: float = 0.0) -> int:
    """Number of inferences that take so long each; a prompt before them pays for as many as last as long."""
    usual = min(max(_BURST, int(prompt_s / seconds)), max(1, int(_LONGEST_BURST_S / seconds)))
    return max(usual, int(np.ceil(_SHORTEST_BURST_S / seconds)))
