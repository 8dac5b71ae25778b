"""How many labelled items a model is scored on where there is no time for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autoq.core import MetricError
from autoq.evaluation.scoring._scorer import Score, Scorer

_FEWEST = 32
# What is scored to find out how long all takes: so many times more, until it takes a part of the time.
_GROWTH = 4
_TELLING_SHARE = 1 / 8


def affordable_items(
    scorer: Scorer, score: Score, seconds: float, now: Callable[[], float] = time.perf_counter
) -> int | None:
    """How many items can be scored in some time, 32 at least; None is all of them.

    Args:
        scorer: Has the items; those of a user's function are not divided.
        score: Of one model by that scorer.
        seconds: For scoring them once.
        now: A clock.
    """
    total, count = len(scorer), _FEWEST
    if not scorer.divisible or not np.isfinite(seconds):
        return None
    while count < total:
        began = now()
        try:
            score(drawn_items(total, count))
        except MetricError:
            return None  # a metric of a corpus may have no value on so little; what is wrong with it, all items say
        taken = max(now() - began, 1e-9)
        affordable = int(count * seconds / taken)
        if affordable >= total:
            return None
        if taken > _TELLING_SHARE * seconds or _GROWTH * count >= total:
            return max(affordable, _FEWEST)
        count *= _GROWTH
    return None


def drawn_items(total: int, count: int) -> NDArray[np.int64]:
    """Numbers of so many items at random, in their order; more of them include fewer, and they are always the same."""
    return np.sort(np.random.default_rng(total).permutation(total)[:count])
