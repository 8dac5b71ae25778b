"""Candidates of accuracy control, scored on as few items as tell whether they meet the budget.

Most candidates are close to one that was scored before, the ancestor. They differ from it on few items: those that
quantization changes at all. So a candidate is first scored on the items that earlier ones got most wrong, the hard
items. On the others it takes over the scores of its ancestor. Only a candidate that would meet the budget by this
estimate is scored on all items. The items that it gets wrong there join the hard items.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from autoq.api.quantizing._calibrated import Calibrated
from autoq.core import Plan, Precision, Recipe
from autoq.evaluation.distortion import Progress
from autoq.evaluation.scoring import Race, Score, Scorer, Scores, paired_drop, racing_order

# Hard items: at most this share of all; and as many as make up this share of all changes of scores.
_MOST_HARD = 0.25
_FEWEST_HARD = 16
_HELD = 0.95


@dataclass(frozen=True, slots=True)
class ScoredCandidate:
    """A candidate that was scored on all items, or given up on the way.

    Attributes:
        plan: Plan of the candidate.
        mean: Score of the candidate.
        drop: Drop on the items that were scored.
        cost: Milliseconds of the groups that the candidate leaves in float.
        scores: Scores by item; NaN for items that were not scored.
    """

    plan: Plan
    mean: float
    drop: float
    cost: float
    scores: Scores

    @property
    def finished(self) -> bool:
        """Whether all items were scored."""
        return not np.isnan(self.scores).any()


@dataclass(slots=True)
class Candidates:
    """All candidates of one run, and the float model that they are compared with.

    Attributes:
        calibrated: Builds candidates.
        scorer: Scores candidates.
        reference: Mean score of the float model.
        scores: Scores of the float model by item; empty where single items have no scores.
        max_drop: The budget, absolute.
        refused: Groups that the device does not run in 8 bits; they are float in every candidate.
        step: Called with the number of candidates scored so far, twice.
        cost: Milliseconds of each group in float.
        found: Candidates scored.
        earlier: Number of candidates that were scored and then removed.
        estimates: Estimated drops of candidates, in the order in which they were tried.
    """

    calibrated: Calibrated
    scorer: Scorer
    reference: float
    scores: Scores
    max_drop: float
    refused: frozenset[str]
    step: Progress
    cost: Mapping[str, float] = field(default_factory=dict)
    found: list[ScoredCandidate] = field(default_factory=list)
    earlier: int = 0
    estimates: list[float] = field(default_factory=list)

    @property
    def within(self) -> list[ScoredCandidate]:
        """Candidates that were scored on all items and meet the budget."""
        return [candidate for candidate in self.found if self.keeps(candidate)]

    def leave_out(self) -> None:
        """Removes all candidates so far. They still count as evaluations."""
        self.earlier += len(self.found)
        self.found.clear()

    @property
    def evaluations(self) -> int:
        """Number of candidates scored."""
        return self.earlier + len(self.found)

    def interval(self, chosen: ScoredCandidate) -> list[float] | None:
        """Ends of the interval of a candidate's drop; None where it is unknown."""
        if not self.scores.size or not chosen.finished:
            return None
        drop = paired_drop(self.scores, chosen.scores)
        return [drop.low, drop.high] if drop.known else None

    def plan(self, recipe: Recipe, restored: Mapping[str, Precision] = MappingProxyType({})) -> Plan:
        """A candidate, with some groups restored."""
        return Plan.quantized(recipe, {**restored, **dict.fromkeys(self.refused, Precision.FLOAT)})

    def meets(self, plan: Plan) -> bool:
        """Whether a candidate meets the budget on all items. It is not scored on all where the estimate misses it."""
        if not self.scores.size:
            self.estimates.append(self.score(plan, self.prepared(plan)).drop)
            return self.estimates[-1] <= self.max_drop
        estimate, score = self.estimate(plan)
        if self.found and estimate > self.max_drop:
            return False
        candidate = self.score(plan, score)
        self.estimates[-1] = candidate.drop
        return self.keeps(candidate)

    def prepared(self, plan: Plan) -> Score:
        """A candidate, built and compiled: it scores items."""
        self.step(len(self.estimates) + 1, len(self.estimates) + 1)
        return self.scorer.of(self.calibrated.build(plan), plan.runtime_choice)

    def score(self, plan: Plan, score: Score) -> ScoredCandidate:
        """Scores a candidate on all items, or until they prove that it misses the budget."""
        if self.scores.size:
            raced = Race(
                score=lambda indices: score(indices)[1],
                reference=self.scores,
                order=racing_order(self.scores),
                max_drop=self.max_drop,
            )
            raced.run()
            scores, drop = raced.by_item, raced.drop
            mean = self.reference - drop
        else:
            mean, scores = score(None)[0], np.empty(0)
            drop = self.reference - mean
        cost = sum(self.cost.get(group, 0.0) for group in plan.quantization.precisions if group not in self.refused)
        self.found.append(ScoredCandidate(plan, mean, drop, cost, scores))
        return self.found[-1]

    def estimate(self, plan: Plan) -> tuple[float, Score]:
        """Drop of a candidate by its scores on hard items and, where there is an ancestor, its scores on the others."""
        score = self.prepared(plan)
        drop = self._estimated_drop(plan, score)
        self.estimates.append(drop)
        return drop, score

    def _estimated_drop(self, plan: Plan, score: Score) -> float:
        if not self.found:
            return self.max_drop
        if not self.scores.size:
            return self.reference - score(None)[0]
        whole = [
            candidate for candidate in self.found if self.refused.issuperset(candidate.plan.quantization.precisions)
        ]
        ancestor = min(whole, key=lambda c: (c.plan.quantization.recipe != plan.quantization.recipe, c.drop))
        known = ~np.isnan(ancestor.scores)
        lost = np.where(known, self.scores - np.nan_to_num(ancestor.scores), 0.0)
        hard = self._hard(known)
        lost[hard] = self.scores[hard] - score(hard)[1]
        return float(lost[known].mean())

    def _hard(self, among: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Items that earlier candidates scored differently from the float model; the largest differences come first."""
        differences = np.max([np.nan_to_num(np.abs(self.scores - c.scores)) for c in self.found], axis=0)
        differences = np.where(among, differences, 0.0)
        order = np.argsort(-differences, kind="stable")
        held = np.cumsum(differences[order])
        enough = int(np.searchsorted(held, _HELD * held[-1])) + 1 if held[-1] > 0 else 0
        positive = int((differences > 0).sum())
        # All of them where they are few, as with scores of 0 and 1; the largest where all differ a little.
        count = positive if positive <= _MOST_HARD * len(order) else min(enough, int(_MOST_HARD * len(order)))
        return np.asarray(order[: max(count, min(_FEWEST_HARD, int(among.sum())))], np.int64)

    def keeps(self, candidate: ScoredCandidate) -> bool:
        """Whether a candidate was scored on all items and meets the budget."""
        return candidate.finished and candidate.drop <= self.max_drop
