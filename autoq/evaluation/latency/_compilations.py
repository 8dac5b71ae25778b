"""Several compilations of one model. They differ in speed by a few percent.

The reason is where the memory of each happens to lie. On a quiet machine this is the largest error of a latency, and
more bursts do not make it smaller.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import psutil

from autoq.evaluation.device import Compiled
from autoq.evaluation.latency._latency_record import Latency

T = TypeVar("T")

_FEWEST, _MOST = 6, 16
_MOST_BYTES = 2 << 30
# Share of the free memory that compilations may take.
_MEMORY_SHARE = 0.5
# Usual standard deviation of the logarithm of the ratio of two compilations, on the machines that this was tried on.
_USUAL_SPREAD = 0.03


def compile_pairs(
    candidate: Callable[[], Compiled],
    baseline: Callable[[], Compiled],
    *,
    max_seconds: float,
    size_bytes: int,
    fewest: int = _FEWEST,
) -> tuple[list[Compiled], list[Compiled]]:
    """Compiles two models several times each, for `measure_latency`. More compilations give a narrower interval.

    Args:
        candidate: Compiles the model to be timed.
        baseline: Compiles the model to compare with.
        max_seconds: Seconds for compiling; there are as many compilations as this allows, sixteen at most.
        size_bytes: Memory of one compilation of each model; larger models are compiled fewer times.
        fewest: Least number of compilations; one of each if the memory does not suffice.

    Raises:
        DeviceError: A device refuses a model.
    """
    candidates, baselines = compilations_within(
        [candidate, baseline], max_seconds=max_seconds, size_bytes=size_bytes, fewest=fewest
    )
    return candidates, baselines


def compilations_within(
    models: Sequence[Callable[[], Compiled]], *, max_seconds: float, size_bytes: int, fewest: int = _FEWEST
) -> list[list[Compiled]]:
    """Compiles several models several times each, as `compile_pairs` does two.

    The models take turns. The first compilation finds other memory free than the next ones, which would make all
    compilations of one model a little slower.

    Args:
        models: One function for each model, which compiles it.
        max_seconds: As in `compile_pairs`.
        size_bytes: Memory of one compilation of each model.
        fewest: Least number of compilations of each model.
    """
    # The very first compilation lies better or worse in memory than all later ones: it takes the gaps of earlier
    # models.
    started = time.perf_counter()
    before = psutil.virtual_memory().available
    spare = [compile_model() for compile_model in models]
    seconds, left = time.perf_counter() - started, psutil.virtual_memory().available
    fitting = _MEMORY_SHARE * left / max(before - left, size_bytes, 1)
    if fitting < fewest:
        return [[compiled] for compiled in spare]
    room = min(max_seconds / max(seconds, 1e-6), _MOST_BYTES / max(size_bytes, 1), fitting, _MOST)
    count = max(fewest, int(room))
    made = in_turns(*([compile_model] * count for compile_model in models))
    del spare
    return made


def in_turns(*rows: Sequence[Callable[[], T]]) -> list[list[T]]:
    """Results of rows of functions. One of each row is called at a time, in a random order and then in its reverse.

    The order is drawn anew each time. A fixed order, such as forwards and backwards, is a pattern that memory can have
    too: on one machine, the allocator made the first and the fourth of every four compilations faster by 0.15%.
    """
    rng = np.random.default_rng()
    made: list[list[T]] = [[] for _ in rows]
    order = rng.permutation(len(rows))
    for index, functions in enumerate(zip(*rows, strict=True)):
        order = rng.permutation(len(rows)) if index % 2 == 0 else order[::-1]
        for place in order.tolist():
            made[place].append(functions[place]())
    return made


def compilation_spread(latencies: Iterable[Latency], *, fewest: int = 0) -> float:
    """Standard deviation of the logarithm of the ratio between pairs of compilations of one model.

    Args:
        latencies: Latencies of a model beside itself, each of new compilations.
        fewest: If there are fewer latencies, the usual value stands for each missing one.

    Returns:
        The standard deviation; the mean is known to be 0.
    """
    logs = [float(np.log(latency.ratio.value)) for latency in latencies]
    logs += [_USUAL_SPREAD] * (fewest - len(logs))
    return float(np.sqrt(np.mean(np.square(logs))))
