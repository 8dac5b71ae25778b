"""Racing: a candidate is scored on growing shares of the data, until they prove enough for a decision.

| name      | meaning                                                                | shape   |
|-----------|------------------------------------------------------------------------|---------|
| n, N      | items scored so far, items in all                                      | scalars |
| drop      | mean of the float model's scores minus the candidate's, paired         | scalar  |

Items are drawn without replacement from the set for which the decision must hold. So the interval of the mean is
narrower by sqrt((N - n) / (N - 1)) than that of an infinite population (Cochran, "Sampling Techniques", 1977, equation
2.12), and has no width at the end. The items are spread evenly over the float model's scores, which narrows the mean
further. Each look at the data gets an equal share of the allowed error (Bonferroni).

A candidate that is given up is lost, so this takes a proof at 99%. A proof at 95% is enough for keeping the budget,
because the chosen candidate is scored on all items in the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from autoq.core import Estimate
from autoq.evaluation.metrics import Scores
from autoq.evaluation.scoring._accuracy import paired_drop

# Shares of the items: after the first ones a decision is possible, after the others only whether to go on.
_SHARES = (1 / 16, 1 / 8, 3 / 16, 1 / 4, 3 / 8, 1 / 2)
_RESTS = (3 / 4,)
_FEWEST = 32


class Outcome(StrEnum):
    """How the scoring of a candidate ended."""

    FINISHED = "finished"  # on all items
    FEASIBLE = "feasible"  # stopped: it keeps the budget
    INFEASIBLE = "infeasible"  # given up: it misses the budget
    DOMINATED = "dominated"  # given up: another one is more accurate, and faster


def _always() -> bool:
    return True


@dataclass(slots=True)
class Race:
    """The scoring of one candidate.

    Attributes:
        score: Scores the items with these numbers, one score each.
        reference: Scores of the float model, [N].
        order: Numbers of the items, in the order in which they are scored, [N].
        max_drop: The budget; None accepts any drop.
        confidence: Confidence of giving up a candidate, with regard to all items.
        confidence_kept: Confidence that a candidate keeps the budget on all items, if it is proven to keep it.
        scores: Scores of the items so far, in the order of scoring.
        outcome: None while nothing is decided. A candidate that keeps the budget may be scored further.
    """

    score: Callable[[NDArray[np.int64]], Scores]
    reference: Scores
    order: NDArray[np.int64]
    max_drop: float | None
    confidence: float = 0.99
    confidence_kept: float = 0.95
    scores: Scores = field(default_factory=lambda: np.empty(0))
    outcome: Outcome | None = None

    def run(
        self, *, share: float = 1.0, rival: Scores | None = None, further: Callable[[], bool] = _always
    ) -> Outcome | None:
        """Scores items until something is decided.

        Args:
            share: Largest share of the items that is scored.
            rival: Scores by item of a faster candidate, [N], NaN for items that were not scored. If the rival is proven
                to be more accurate too, the race is over.
            further: Whether a candidate that is proven to keep the budget is scored further.

        Returns:
            The decision; None without one.
        """
        total = len(self.reference)
        looks, rests = _stops(_SHARES, total), _stops(_RESTS, total)
        for stop in sorted({0, *looks, *rests, total}):
            if stop > share * total or self._is_over(further):
                break
            if stop > len(self.scores):
                self.scores = np.concatenate([self.scores, self.score(self.order[len(self.scores) : stop])])
            if stop == len(self.scores) > 0 and stop not in rests - looks:
                self.outcome = self._decide(max(len(looks), 1), rival)
        return self.outcome

    def _is_over(self, further: Callable[[], bool]) -> bool:
        if self.outcome is Outcome.FEASIBLE:
            return not further()
        return self.outcome is not None

    def _decide(self, looks: int, rival: Scores | None) -> Outcome | None:
        if len(self.scores) == len(self.reference):
            return Outcome.FINISHED
        # Only one end of the interval is used.
        level = 1 - 2 * (1 - self.confidence) / looks
        if self.max_drop is not None and self.outcome is None:
            if self._behind(self.reference, level).low > self.max_drop:
                return Outcome.INFEASIBLE
            if self._behind(self.reference, 1 - 2 * (1 - self.confidence_kept) / looks).high <= self.max_drop:
                return Outcome.FEASIBLE
        if rival is not None and self._behind(rival, level).low > 0:
            return Outcome.DOMINATED
        return self.outcome

    def _behind(self, other: Scores, confidence: float) -> Estimate:
        """How much lower it scores than the rival, with the interval of the mean over all items."""
        asked = self.order[: len(self.scores)]
        both = ~np.isnan(other[asked])
        if both.sum() < min(_FEWEST, len(asked)):
            return Estimate(0.0, -np.inf, np.inf, confidence)
        total = len(self.reference)
        drop = paired_drop(other[asked][both], self.scores[both], confidence)
        if not drop.known:
            return drop
        narrower = finite_population_factor(int(both.sum()), total)
        low, high = (drop.value + (end - drop.value) * narrower for end in (drop.low, drop.high))
        return Estimate(drop.value, float(low), float(high), confidence)

    @property
    def drop(self) -> float:
        """Mean drop of the items scored so far."""
        return float((self.reference[self.order[: len(self.scores)]] - self.scores).mean())

    @property
    def drop_sd(self) -> float:
        """Standard deviation of `drop` as an estimate of the mean drop of all items."""
        return self._behind(self.reference, 0.95).sd

    @property
    def by_item(self) -> Scores:
        """Scores by item, NaN for items that were not scored, [N]."""
        scores = np.full(len(self.reference), np.nan)
        scores[self.order[: len(self.scores)]] = self.scores
        return scores


def _stops(shares: Sequence[float], total: int) -> set[int]:
    stops = {max(_FEWEST, int(share * total)) for share in shares}
    return {stop for stop in stops if stop < total}


def finite_population_factor(scored: int, total: int) -> float:
    """Finite population correction: the factor of the error of a mean of n of N items, sqrt((N - n) / (N - 1)).

    Cochran, "Sampling Techniques", 1977, equation 2.12.

    Args:
        scored: Number of items in the mean, n; a larger number counts as all.
        total: Number of all items, N.
    """
    return math.sqrt(max(total - scored, 0) / max(total - 1, 1))


def racing_order(reference: Scores, seed: int = 0) -> NDArray[np.int64]:
    """An order of items. Each beginning of it has low and high scores of the float model in their true shares.

    Items are sorted by score, those with equal scores at random, and taken at the places of van der Corput's sequence.

    Args:
        reference: Scores of the float model, [N].
        seed: Seed of the order among equal scores, and of the first place.

    Returns:
        Numbers of the items, [N].
    """
    rng = np.random.default_rng(seed)
    total = len(reference)
    ranked = np.roll(np.lexsort((rng.random(total), reference)), rng.integers(max(total, 1)))
    places = np.arange(total)
    bits = max(total - 1, 1).bit_length()
    reversed_places = sum(((places >> bit) & 1) << (bits - 1 - bit) for bit in range(bits))
    return np.asarray(ranked[np.argsort(reversed_places)], np.int64)
