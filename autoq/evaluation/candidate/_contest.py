"""The rivals of a candidate, and the order in which it is scored and timed beside them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from autoq.core import Estimate
from autoq.evaluation.candidate._evaluation import Evaluation, cost_of
from autoq.evaluation.latency import Latency
from autoq.evaluation.scoring import Accuracy, Outcome, Race, Scores, racing_order

logger = logging.getLogger(__name__)
# A candidate is scored on this share of the data first. If that does not prove it too inaccurate, it is timed.
_SCORED_FIRST = 0.25
# A candidate that is not on the front is scored until the standard deviation of its drop is this share of the budget. A
# surrogate learns little from drops that are known less well.
_RESOLUTION = 0.1


@dataclass(frozen=True, slots=True)
class Contest:
    """The rivals of a candidate. It is scored only until it is proven to keep up with them, or not to.

    A candidate that is proven to keep the budget is scored on, until its drop is known to a tenth of the budget. While
    no rival is ahead of it, it is scored on as many items as the contest allows, since it may be on the front.

    Attributes:
        max_drop: The budget; None accepts any drop.
        rivals: Candidates that were measured before.
        items: Number of items after which an undecided candidate is left for later; None is all.
        census: Numbers of items that are all scored first, since they tell candidates apart.
        seed: Seed of the order of the other items. Candidates that are scored on other items are not all wrong in the
            same way, so that a surrogate learns from many of them what none of them tells alone. They also show which
            items tell candidates apart.
    """

    max_drop: float | None
    rivals: Sequence[Evaluation] = ()
    items: int | None = None
    census: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    seed: int = 0

    def race(
        self,
        score: Callable[[NDArray[np.int64]], Scores],
        reference: Scores,
        earlier: Accuracy | None = None,
    ) -> Race:
        """The race of a candidate, before it begins or goes on.

        Args:
            score: As in `Race`.
            reference: Likewise.
            earlier: The accuracy after the first part of the race; None before it.
        """
        order = racing_order(reference, self.seed)
        if len(self.census):
            order = np.concatenate([self.census, order[~np.isin(order, self.census)]])
        if earlier is not None:
            score = partial(_completed, earlier.scores, score)
        race = Race(score=score, reference=reference, order=order, max_drop=self.max_drop, census=len(self.census))
        if earlier is not None and earlier.outcome is Outcome.FEASIBLE:
            race.outcome = earlier.outcome
        return race

    def compete(self, race: Race, timed: Callable[[bool], Latency], size_ratio: float | None = None) -> Latency:
        """Runs the race of a candidate, and times the candidate in between: its cost decides which rival counts.

        Args:
            race: Race of the candidate.
            timed: Times the candidate. It is called once, with True if the candidate is already out, so that brief
                timing will do.
            size_ratio: As in `Evaluation`.
        """
        most = self._most(race)
        race.run(most=min(most, int(_SCORED_FIRST * len(race.reference))), further=lambda: False)
        latency = timed(race.outcome is Outcome.INFEASIBLE)
        cost = cost_of(latency, size_ratio)
        race.run(most=most, rival=self.rival(cost), further=lambda: self._is_of_interest(race, cost))
        scored = len(race.scores)
        logger.debug("the race ends, %s, after %d of %d items", race.outcome, scored, len(race.reference))
        return latency

    def go_on(self, race: Race, cost: Estimate) -> None:
        """Scores more items of a candidate that was timed before, up to the number that the contest allows."""
        race.run(most=self._most(race), rival=self.rival(cost))

    def _most(self, race: Race) -> int:
        """The first stop of the race that has as many items as the contest allows."""
        wanted = len(race.reference) if self.items is None else self.items
        return next((stop for stop in race.stops if stop >= wanted), len(race.reference))

    def _is_of_interest(self, race: Race, cost: Estimate) -> bool:
        """Whether a candidate that keeps the budget may be on the front, or its drop is not known well enough."""
        if self.max_drop is None or not self.is_behind(cost, race.drop):
            return True
        return race.drop_sd > _RESOLUTION * self.max_drop

    def is_behind(self, cost: Estimate, drop: float) -> bool:
        """Whether the point estimates of a rival are as good as those of a candidate in cost and drop."""
        return any(r.cost.value <= cost.value and r.accuracy.drop.value <= drop for r in self.rivals)

    def rival(self, cost: Estimate) -> Scores | None:
        """Scores of the most accurate rival that is shown to cost less and has scores by sample; None without one."""
        cheaper = [r for r in self.rivals if r.cost.below(cost) and r.accuracy.scores.size]
        return min(cheaper, key=lambda r: r.accuracy.drop.value).accuracy.scores if cheaper else None


def raced_accuracy(race: Race) -> Accuracy:
    """The accuracy of a candidate after its race."""
    drop, outcome = race.estimate, race.outcome or Outcome.PARTIAL
    return Accuracy(
        mean=float(race.reference.mean()) - drop.value,
        drop=drop,
        n=len(race.scores),
        scores=race.by_item,
        outcome=outcome,
        sampling_sd=race.sampling_sd,
    )


def _completed(known: Scores, score: Callable[[NDArray[np.int64]], Scores], indices: NDArray[np.int64]) -> Scores:
    """Scores of items: those that are known, and the others as they are scored now."""
    scores = known[indices]
    missing = np.isnan(scores)
    if missing.any():
        scores[missing] = score(indices[missing])
    return scores
