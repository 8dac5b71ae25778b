"""Racing: a candidate is scored on growing shares of the data, until they prove enough for a decision.

| name      | meaning                                                                | shape   |
|-----------|------------------------------------------------------------------------|---------|
| n, N      | items scored so far, items in all                                      | scalars |
| drop      | mean of the float model's scores minus the candidate's, paired         | scalar  |

Items are drawn without replacement from the set for which the decision must hold. So the interval of the mean is
narrower by sqrt((N - n) / (N - 1)) than that of an infinite population (Cochran, "Sampling Techniques", 1977, equation
2.12), and has no width at the end. The items are spread evenly over the float model's scores, which narrows the mean
further. Each look at the data gets an equal share of the allowed error (Bonferroni).

Where it is known which items tell candidates apart, these are all scored first: a census. Only the others are drawn;
the mean of all items is that of both strata (Cochran, chapter 5; a stratum that is scored whole has no error).

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
from autoq.evaluation.statistics import normal_quantile

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
    PARTIAL = "partial"  # stopped undecided: more items may follow


def _always() -> bool:
    return True


@dataclass(slots=True)
class Race:
    """The scoring of one candidate.

    Attributes:
        score: Scores the items with these numbers, one score each.
        reference: Scores of the float model, [N].
        order: Numbers of the items, in the order in which they are scored, [N].
        census: So many items at the beginning of the order are all scored before anything is decided; the others are
            drawn at random. Which ones these are must not depend on the candidate.
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
    census: int = 0
    confidence: float = 0.99
    confidence_kept: float = 0.95
    scores: Scores = field(default_factory=lambda: np.empty(0))
    outcome: Outcome | None = None

    @property
    def stops(self) -> list[int]:
        """Numbers of items after which the race may stop; the last one is all."""
        return sorted({*self._stops(_SHARES), *self._stops(_RESTS), len(self.reference)})

    def _stops(self, shares: Sequence[float]) -> set[int]:
        return {self.census + stop for stop in _stops(shares, len(self.reference) - self.census)}

    def run(
        self, *, most: int | None = None, rival: Scores | None = None, further: Callable[[], bool] = _always
    ) -> Outcome | None:
        """Scores items until something is decided.

        Args:
            most: Largest number of items that are scored; None is all.
            rival: Scores by item of a faster candidate, [N], NaN for items that were not scored. If the rival is proven
                to be more accurate too, the race is over.
            further: Whether a candidate that is proven to keep the budget is scored further.

        Returns:
            The decision; None without one.
        """
        total = len(self.reference)
        looks, rests = self._stops(_SHARES), self._stops(_RESTS)
        for stop in [0, *self.stops]:
            if stop > (total if most is None else most) or self._is_over(further):
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
        rivals = other[self.order[: len(self.scores)]]
        both = ~np.isnan(rivals)
        census, drawn = both[: self.census], both[self.census :]
        if not census.all() or not drawn.any() or drawn.sum() < min(_FEWEST, len(drawn)):
            return Estimate(0.0, -np.inf, np.inf, confidence)
        own_rivals, own = rivals[self.census :], self.scores[self.census :]
        drop = paired_drop(own_rivals[drawn], own[drawn], confidence)
        if not drop.known:
            return drop
        total = len(self.reference)
        counted = float((rivals[: self.census] - self.scores[: self.census]).sum()) / total
        narrower = finite_population_factor(int(drawn.sum()), total - self.census)
        share = (total - self.census) / total
        value, low, high = (
            float(counted + share * (drop.value + (end - drop.value) * narrower))
            for end in (drop.value, drop.low, drop.high)
        )
        return Estimate(value, min(low, value), max(high, value), confidence)

    @property
    def drop(self) -> float:
        """Mean drop of all items, as those scored so far tell."""
        census, drawn = self._differences
        left = len(self.reference) - len(census)
        return float(census.sum() + left * (drawn.mean() if len(drawn) else 0.0)) / len(self.reference)

    @property
    def drop_sd(self) -> float:
        """Standard deviation of `drop` as an estimate of the mean drop of all items, by its interval."""
        return self._behind(self.reference, 0.95).sd

    @property
    def sampling_sd(self) -> float:
        """Standard deviation of `drop` as an estimate of the mean drop of all items, for models that learn from it.

        One more change is counted than was seen: without any change, an interval is much wider than the spread of the
        drops of such candidates.
        """
        census, drawn = self._differences
        left, scored = len(self.reference) - len(census), len(drawn)
        if not scored or left == scored:
            return 0.0 if left == scored else math.inf
        changes = np.concatenate([census, drawn])
        changes = changes[changes != 0]
        size = float(np.mean(changes**2)) if len(changes) else float(np.var(self.reference)) or 1.0
        variance = (float(np.sum((drawn - drawn.mean()) ** 2)) + 0.3 * size) / scored
        narrower = finite_population_factor(scored, left)
        return left / len(self.reference) * narrower * math.sqrt(variance / scored)

    @property
    def estimate(self) -> Estimate:
        """The drop with its interval, which also holds for items that are not among these.

        It is not made narrower by the census: the items that were drawn stand for all others.
        """
        census, drawn = self._differences
        asked = self.order[: len(self.scores)]
        if not len(census) or not len(drawn):
            return paired_drop(self.reference[asked], self.scores)
        left = len(self.reference) - len(census)
        reference, scores = (
            np.concatenate([values[: len(census)], np.resize(values[len(census) :], left)])
            for values in (self.reference[asked], self.scores)
        )
        whole, value = paired_drop(reference, scores), self.drop
        if not whole.known:
            return Estimate.unknown(value)
        arm = normal_quantile((1 + whole.confidence) / 2) * self.sampling_sd
        below, above = (math.hypot(end - whole.value, arm) for end in (whole.low, whole.high))
        return Estimate(value, value - below, value + above, whole.confidence)

    @property
    def _differences(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Reference minus scores of the census, and of the items drawn so far."""
        differences = self.reference[self.order[: len(self.scores)]] - self.scores
        return differences[: self.census], differences[self.census :]

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


def telling_items(scored: Sequence[Scores], reference: Scores, most: int) -> NDArray[np.int64]:
    """The items whose scores change most from candidate to candidate, sorted by number.

    Few items tell candidates apart: those that the float model gets right or wrong by little. On cifar10, 4% of the
    images hold five sixths of all changes.

    Args:
        scored: Scores of candidates by item, [N] each, NaN for items that were not scored.
        reference: Scores of the float model, [N].
        most: Largest number of items.
    """
    squares, counts = np.zeros(len(reference)), np.ones(len(reference))
    for scores in scored:
        known = ~np.isnan(scores)
        squares[known] += np.square(reference - scores)[known]
        counts += known
    found = np.argsort(-squares / counts, kind="stable")[: min(most, int(np.count_nonzero(squares)))]
    return np.sort(found).astype(np.int64)
