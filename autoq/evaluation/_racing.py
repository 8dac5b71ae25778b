"""Racing: a candidate is scored on growing shares of the data, and given up as soon as they prove it too inaccurate.

| name      | meaning                                                                | shape   |
|-----------|------------------------------------------------------------------------|---------|
| n, N      | items scored so far, items in all                                      | scalars |
| drop      | mean of the float model's scores minus the candidate's, paired         | scalar  |

Items are drawn without replacement from the set on which the decision is to hold, so that the interval of the mean is
narrower by sqrt((N - n) / (N - 1)) than that of an endless population (Cochran, "Sampling Techniques", 1977, equation
2.12), and has no width at the end. Each look at the data gets an equal share of the error that is allowed (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoq.core import Estimate
from autoq.evaluation._accuracy import Scores, paired_drop

_SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
_FEWEST = 32


@dataclass(frozen=True, slots=True)
class Race:
    """How a candidate did.

    Attributes:
        drop: Of the items that were scored; the interval is that of the mean over all items.
        scores: Of the items that were scored, in the order in which they were.
        order: Their numbers.
        finished: Whether all items were scored.
    """

    drop: Estimate
    scores: Scores
    order: NDArray[np.int64]
    finished: bool

    def meets(self, max_drop: float) -> bool:
        """Whether the candidate was scored on all items and keeps the budget."""
        return self.finished and self.drop.value <= max_drop


def race(
    score: Callable[[NDArray[np.int64]], Scores],
    reference: NDArray[Any],
    *,
    max_drop: float,
    confidence: float = 0.99,
    seed: int = 0,
) -> Race:
    """Scores a candidate until it is proven to miss a budget, or on all items.

    Args:
        score: Scores the items with these numbers, one score each.
        reference: Scores of the float model, [N].
        max_drop: The budget.
        confidence: That a candidate given up would have missed the budget on all items.
        seed: Of the order, which is the same for every candidate of a seed.
    """
    total = len(reference)
    order = np.random.default_rng(seed).permutation(total)
    stops = sorted({max(_FEWEST, int(share * total)) for share in _SHARES} - {0})
    stops = [stop for stop in stops if stop < total]
    scores: Scores = np.empty(0)
    for stop in [*stops, total]:
        scores = np.concatenate([scores, score(order[len(scores) : stop])])
        level = 1 - (1 - confidence) / max(len(stops), 1)
        drop = paired_drop(reference[order[:stop]], scores, level)
        narrower = np.sqrt((total - stop) / max(total - 1, 1))
        low, high = (drop.value + (end - drop.value) * narrower for end in (drop.low, drop.high))
        drop = Estimate(drop.value, float(low), float(high), level)
        if drop.low > max_drop:
            break
    return Race(drop, scores, order[: len(scores)], finished=len(scores) == total)
