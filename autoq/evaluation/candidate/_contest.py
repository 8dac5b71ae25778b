"""What a candidate has to keep up with, and in which order it is scored and timed to find out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoq.evaluation.candidate._evaluation import Evaluation
from autoq.evaluation.latency import Latency
from autoq.evaluation.scoring import Accuracy, Outcome, Race, Scores, paired_drop

# A candidate that this share of the data does not prove too inaccurate is timed before it is scored further.
_SCORED_FIRST = 0.25
# Standard deviation of a drop, as a share of the budget, up to which a candidate is scored that is not on the front:
# models that are fitted to drops learn little from what is known less well.
_RESOLUTION = 0.1


@dataclass(frozen=True, slots=True)
class Contest:
    """What a candidate has to keep up with: it is scored only until it is proven to do so, or not to.

    One that is proven to keep the budget is scored on until its drop is known to a tenth of that; and as long as no
    rival is ahead of it, so that what may be on the front is scored on all items.

    Attributes:
        max_drop: The budget; None accepts any drop.
        rivals: Candidates that were measured before.
    """

    max_drop: float | None
    rivals: Sequence[Evaluation] = ()

    def race(self, score: Callable[[NDArray[np.int64]], Scores], reference: Scores, order: NDArray[np.int64]) -> Race:
        """The scoring of a candidate, not begun: what `Race` is made of."""
        return Race(score=score, reference=reference, order=order, max_drop=self.max_drop)

    def compete(self, race: Race, timed: Callable[[bool], Latency]) -> Latency:
        """Runs a candidate's race, and times it in between: its latency says who its rival is.

        Args:
            race: Of the candidate.
            timed: Is called once, with whether to be brief: the candidate has no prospects.
        """
        race.run(share=_SCORED_FIRST, further=lambda: False)
        latency = timed(race.outcome is Outcome.INFEASIBLE)
        race.run(rival=self.rival(latency), further=lambda: self._is_of_interest(race, latency))
        return latency

    def _is_of_interest(self, race: Race, latency: Latency) -> bool:
        """Whether a candidate that keeps the budget may be on the front, or is not known well enough to learn from."""
        if self.max_drop is None or not self.is_behind(latency, race.drop):
            return True
        return race.drop_sd > _RESOLUTION * self.max_drop

    def is_behind(self, latency: Latency, drop: float) -> bool:
        """Whether a rival is as fast and as accurate as a candidate, by what is known of both, shown or not."""
        return any(r.latency.ratio.value <= latency.ratio.value and r.accuracy.drop.value <= drop for r in self.rivals)

    def rival(self, latency: Latency) -> Scores | None:
        """Scores of the most accurate of those that are shown to be faster and have scores by sample."""
        faster = [r for r in self.rivals if r.latency.ratio.below(latency.ratio) and r.accuracy.scores.size]
        return min(faster, key=lambda r: r.accuracy.drop.value).accuracy.scores if faster else None


def raced_accuracy(race: Race) -> Accuracy:
    """What a race that is over says of its candidate."""
    asked = race.order[: len(race.scores)]
    drop = paired_drop(race.reference[asked], race.scores)
    outcome = race.outcome or Outcome.FINISHED
    return Accuracy(float(race.reference.mean()) - drop.value, drop, len(asked), race.by_item, outcome)
