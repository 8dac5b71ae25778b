"""Several compilations of one model: compiled again, it is a few percent faster or slower.

What differs is where its memory happens to lie. It is the largest error of a latency that is measured in quiet, and
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
# Of the memory that is left, what compilations may take.
_MEMORY_SHARE = 0.5
# By how much the logarithm of the ratio of two compilations differs on the machines that this was tried on.
_USUAL_SPREAD = 0.03


def compile_pairs(
    candidate: Callable[[], Compiled],
    baseline: Callable[[], Compiled],
    *,
    max_seconds: float,
    size_bytes: int,
    fewest: int = _FEWEST,
) -> tuple[list[Compiled], list[Compiled]]:
    """Compiles two models several times each, for `measure_latency`: the more, the narrower its interval.

    Args:
        candidate: Compiles the model to be timed.
        baseline: Compiles the model to compare with.
        max_seconds: As many are compiled, up to sixteen, as this time seems to allow.
        size_bytes: What one of each takes; the more that is, the fewer are compiled.
        fewest: So many are compiled in any case, or one of each where memory has no room for them.

    Raises:
        DeviceError: (The function raised) a device refuses a model.
    """
    candidates, baselines = compilations_within(
        [candidate, baseline], max_seconds=max_seconds, size_bytes=size_bytes, fewest=fewest
    )
    return candidates, baselines


def compilations_within(
    models: Sequence[Callable[[], Compiled]], *, max_seconds: float, size_bytes: int, fewest: int = _FEWEST
) -> list[list[Compiled]]:
    """Compiles several models several times each, as `compile_pairs` does two.

    They take turns: what is compiled first finds other memory free, which would make all compilations of one of the
    models a little slower.

    Args:
        models: Each compiles one.
        max_seconds: As in `compile_pairs`, as are the others.
        size_bytes: Of one compilation of each model.
        fewest: Of each model.
    """
    # The very first of all lies better or worse than every later one: it takes the gaps that earlier models left.
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
    """What rows of functions return, called one of each row at a time: in any order, then in the reverse, and so on.

    The order is drawn anew each time. A fixed one, such as forwards, backwards, is a pattern that memory can have too:
    the allocator of one machine made what came first and fourth of every four faster by 0.15%.
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
    """How much the logarithm of the ratio differs between pairs of compilations of one model.

    Args:
        latencies: A model beside itself, each compiled anew.
        fewest: Where they are fewer than that, each that is missing counts as what is usual.

    Returns:
        The standard deviation; the mean is known to be 0.
    """
    logs = [float(np.log(latency.ratio.value)) for latency in latencies]
    logs += [_USUAL_SPREAD] * (fewest - len(logs))
    return float(np.sqrt(np.mean(np.square(logs))))
