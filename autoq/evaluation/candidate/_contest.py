"""The rivals of a candidate, and the order in which it is scored and timed beside them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoq.evaluation.candidate._evaluation import Evaluation
from autoq.evaluation.latency import Latency
from autoq.evaluation.scoring import Accuracy, Outcome, Race, Scores, paired_drop

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
    no rival is ahead of it, it is scored on all items, since it may be on the front.

    Attributes:
        max_drop: The budget; None accepts any drop.
        rivals: Candidates that were measured before.
    """

    max_drop: float | None
    rivals: Sequence[Evaluation] = ()

    def race(self, score: Callable[[NDArray[np.int64]], Scores], reference: Scores, order: NDArray[np.int64]) -> Race:
        """The race of a candidate, before it begins; the arguments are those of `Race`."""
        return Race(score=score, reference=reference, order=order, max_drop=self.max_drop)

    def compete(self, race: Race, timed: Callable[[bool], Latency]) -> Latency:
        """Runs the race of a candidate, and times the candidate in between: its latency decides which rival counts.

        Args:
            race: Race of the candidate.
            timed: Times the candidate. It is called once, with True if the candidate is already out, so that brief
                timing will do.
        """
        race.run(share=_SCORED_FIRST, further=lambda: False)
        latency = timed(race.outcome is Outcome.INFEASIBLE)
        race.run(rival=self.rival(latency), further=lambda: self._is_of_interest(race, latency))
        scored = len(race.scores)
        logger.debug("the race ends, %s, after %d of %d items", race.outcome, scored, len(race.reference))
        return latency

    def _is_of_interest(self, race: Race, latency: Latency) -> bool:
        """Whether a candidate that keeps the budget may be on the front, or its drop is not known well enough."""
        if self.max_drop is None or not self.is_behind(latency, race.drop):
            return True
        return race.drop_sd > _RESOLUTION * self.max_drop

    def is_behind(self, latency: Latency, drop: float) -> bool:
        """Whether the point estimates of a rival are as good as those of a candidate in latency and drop."""
        return any(r.latency.ratio.value <= latency.ratio.value and r.accuracy.drop.value <= drop for r in self.rivals)

    def rival(self, latency: Latency) -> Scores | None:
        """Scores of the most accurate rival that is shown to be faster and has scores by sample; None without one."""
        faster = [r for r in self.rivals if r.latency.ratio.below(latency.ratio) and r.accuracy.scores.size]
        return min(faster, key=lambda r: r.accuracy.drop.value).accuracy.scores if faster else None


def raced_accuracy(race: Race) -> Accuracy:
    """The accuracy of a candidate after its race."""
    asked = race.order[: len(race.scores)]
    drop = paired_drop(race.reference[asked], race.scores)
    outcome = race.outcome or Outcome.FINISHED
    return Accuracy(float(race.reference.mean()) - drop.value, drop, len(asked), race.by_item, outcome)
