"""The number of labelled items that models are scored on if there is no time for all."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autoq.core import MetricError
from autoq.evaluation.scoring._scorer import Score, Scorer

_FEWEST = 32
# To find out how long all items take, so many times more items are scored, until they take a part of the time.
_GROWTH = 4
_TELLING_SHARE = 1 / 8


def affordable_items(
    scorer: Scorer, score: Score, seconds: float, now: Callable[[], float] = time.perf_counter
) -> int | None:
    """Number of items that can be scored in some time, at least 32; None is all of them.

    Args:
        scorer: Has the items. The items of a user's function are not divided.
        score: Scores one model on items of that scorer.
        seconds: Seconds for scoring the items once.
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
            return None  # a metric of a corpus may have no value on so few items; a real error shows with all items
        taken = max(now() - began, 1e-9)
        affordable = int(count * seconds / taken)
        if affordable >= total:
            return None
        if taken > _TELLING_SHARE * seconds:
            return max(affordable, _FEWEST)
        count *= _GROWTH
    return None


def drawn_items(total: int, count: int) -> NDArray[np.int64]:
    """Numbers of so many random items, sorted. They are always the same, and more of them include fewer."""
    return np.sort(np.random.default_rng(total).permutation(total)[:count])
