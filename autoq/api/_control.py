"""What accuracy control does: candidates are evaluated until one meets the budget, the cheapest that could be found.

Most candidates are close to one that was scored before, and differ from it on few items: those on which quantization
does anything at all. So a candidate is first scored on the items that earlier ones got most wrong, and takes over what
its ancestor scored on the others. Only one that would meet the budget by this estimate is scored on all items, and what
it gets wrong there joins the items that the next ones are tried on.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.api._budget import absolute_drop
from autoq.api._calibrated import Calibrated, Progress
from autoq.calibration import Feed
from autoq.core import BiasCorrection, Precision, QuantizationPlan, Recipe, RuntimePrecision
from autoq.evaluation import (
    F32Runner,
    Race,
    RuntimeConfig,
    Score,
    Scorer,
    Scores,
    layer_times,
    racing_order,
)
from autoq.search import measure_restorations, restoration_order, restore

# Hard items: at most this share of all, and as many as hold this share of what the ancestor lost and won.
_MOST_HARD = 0.25
_FEWEST_HARD = 16
_HELD = 0.95
_MOST_BLOCKS = 20
# Inputs that groups are ranked on.
_RANKED_ON = 16


@dataclass(frozen=True, slots=True)
class _Candidate:
    """What is known of a candidate that was scored on all items, or given up on the way.

    Attributes:
        plan: What it is.
        mean: Its score.
        drop: Of the items that were scored.
        cost: Milliseconds of the groups that it leaves in float.
        scores: By item; NaN where it was given up before.
    """

    plan: QuantizationPlan
    mean: float
    drop: float
    cost: float
    scores: Scores

    @property
    def finished(self) -> bool:
        """Whether all items were scored."""
        return not np.isnan(self.scores).any()


@dataclass(slots=True)
class Control:
    """One run: the float model's scores, the budget, and what was found.

    Attributes:
        calibrated: Builds candidates.
        inputs: Calibration inputs.
        scorer: Scores them.
        reference: Mean score of the float model.
        scores: Its per-item scores; empty where there are none that say anything about the mean.
        max_drop: Absolute.
        deadline: Moment of `time.monotonic()`; None is no limit.
        most: Candidates scored at most; None is no limit.
        step: Called with candidates scored so far, twice.
        cost: Milliseconds of each group in float.
        found: Candidates scored.
        estimates: Drops that candidates were estimated to have, in the order in which they were tried.
    """

    calibrated: Calibrated
    inputs: Sequence[Feed]
    scorer: Scorer
    reference: float
    scores: Scores
    max_drop: float
    deadline: float | None
    most: int | None
    step: Progress
    cost: Mapping[str, float] = field(default_factory=dict)
    found: list[_Candidate] = field(default_factory=list)
    estimates: list[float] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        calibrated: Calibrated,
        inputs: Sequence[Feed],
        scorer: Scorer,
        *,
        max_drop: float | str,
        relative: bool,
        deadline: float | None,
        most: int | None,
        step: Progress,
    ) -> Control:
        """Scores the float model, in f32."""
        mean, scores = scorer.of(calibrated.model, RuntimePrecision.F32)(None)
        budget = absolute_drop(max_drop, mean, relative=relative)
        return cls(
            calibrated=calibrated,
            inputs=inputs,
            scorer=scorer,
            reference=mean,
            scores=scores if scorer.per_item else np.empty(0),
            max_drop=float("inf") if budget is None else budget,
            deadline=deadline,
            most=most,
            step=step,
        )

    def run(
        self,
        recipes: Sequence[Recipe],
        restored: Precision,
        runtime: RuntimeConfig,
        *,
        measure_biases: bool,
        workers: int,
    ) -> None:
        """Whole models first, then some of the best recipe's groups in float, then all of them.

        Args:
            recipes: To try, the preferred one first.
            restored: What groups are restored to.
            runtime: Compile settings.
            measure_biases: Try accurate bias correction too, with the best of the recipes.
            workers: Groups that are ranked at a time, where they cannot be switched within one model.
        """
        if not self._try_whole(recipes, measure_biases=measure_biases) and not self._spent():
            self._restore(restored, runtime, workers)

    def _try_whole(self, recipes: Sequence[Recipe], *, measure_biases: bool) -> bool:
        """Whether some recipe meets the budget with nothing left in float, or there is no time for more."""
        drops: dict[Recipe, float] = {}
        for recipe in recipes:
            if self.found and self._spent():
                return True
            if self._meets(QuantizationPlan(recipe)):
                return True
            drops[recipe] = self.estimates[-1]
        if not measure_biases or self._spent():
            return False
        best = min(drops, key=drops.__getitem__)
        return self._meets(QuantizationPlan(replace(best, bias_correction=BiasCorrection.ACCURATE)))

    def _restore(self, restored: Precision, runtime: RuntimeConfig, workers: int) -> None:
        """Leaves groups of the best whole model in float."""
        best = min(self.found, key=lambda candidate: candidate.drop)
        recipe = best.plan.recipe
        standing = self.calibrated.placements.standing(recipe.ignored_scope, recipe.placement)
        groups = [group.name for group in standing.groups]
        if not groups:  # all that is quantized stands in bodies, which are quantized whole
            return
        self.cost = self._costs(runtime)

        def plan(floats: Iterable[str]) -> QuantizationPlan:
            return QuantizationPlan(recipe, dict.fromkeys(floats, restored))

        blocks = {"|".join(block): block for block in _blocks(groups)}
        won = self._won_back(blocks, recipe, restored, runtime, workers)
        cost = {name: sum(self.cost[group] for group in block) for name, block in blocks.items()}
        ranked = restoration_order(won, cost)
        order = [group for name in ranked for group in blocks[name]]
        guessed: dict[frozenset[str], bool] = {}
        hopeful: dict[frozenset[str], Score] = {}  # the latest, compiled already

        def guess(floats: frozenset[str]) -> bool:
            if floats not in guessed:
                drop, score = self._estimate(plan(floats))
                guessed[floats] = drop <= self.max_drop
                if guessed[floats]:
                    hopeful.clear()
                    hopeful[floats] = score
            return guessed[floats]

        def meets(floats: frozenset[str]) -> bool:
            guessed.clear()  # what this candidate gets wrong is what the next ones are tried on
            candidate = self._score(plan(floats), hopeful.get(floats) or self._prepared(plan(floats)))
            return candidate.finished and candidate.drop <= self.max_drop

        restore(order, guess, meets, spent=self._spent)
        if not self._spent() and not any(c.finished and c.drop <= self.max_drop for c in self.found):
            # The last resort is no matter of a guess.
            self._score(plan(groups), self._prepared(plan(groups)))

    def _won_back(
        self,
        blocks: Mapping[str, Sequence[str]],
        recipe: Recipe,
        restored: Precision,
        runtime: RuntimeConfig,
        workers: int,
    ) -> dict[str, float]:
        """How much less the model distorts its outputs with each block restored.

        Distortion tells more than scores, which few groups change alone, and takes a few inputs of one shape, where
        scores would have the device compile for every shape among them.
        """
        return measure_restorations(
            self.calibrated.builder,
            self.calibrated.model,
            blocks,
            recipe,
            inputs=self.inputs,
            evaluator=F32Runner(runtime),
            restored=restored,
            samples=_RANKED_ON,
            workers=workers,
            limit_s=math.inf if self.deadline is None else max(self.deadline - time.monotonic(), 0.0),
        )

    def _costs(self, runtime: RuntimeConfig) -> dict[str, float]:
        """Milliseconds of each group in float."""
        times = layer_times(self.calibrated.model, runtime.for_data(), self.inputs[0])
        groups = self.calibrated.placements.reference.groups
        return {group.name: sum(times.get(op, 0.0) for op in group.ops) for group in groups}

    def answer(self) -> ov.Model:
        """The cheapest candidate that meets the budget, else the most accurate one, with a warning."""
        within = [c for c in self.found if c.finished and c.drop <= self.max_drop]
        chosen = min(within or self.found, key=lambda c: (c.cost, c.drop) if within else (c.drop, c.cost))
        if not within:
            msg = (
                f"no candidate met the drop of at most {self.max_drop:.4g} in {len(self.found)} evaluations: the most "
                f"accurate one drops by {chosen.drop:.4g}."
            )
            warnings.warn(msg, stacklevel=3)
        model = self.calibrated.build(chosen.plan)
        summary = {
            "score": chosen.mean,
            "float_score": self.reference,
            "drop": chosen.drop,
            "max_drop": self.max_drop,
            "evaluations": len(self.found),
        }
        model.set_rt_info(json.dumps(summary), ["autoq", "accuracy_control"])
        return model

    def _spent(self) -> bool:
        """Whether time or evaluations are used up."""
        late = self.deadline is not None and time.monotonic() > self.deadline
        return late or (self.most is not None and len(self.found) >= self.most)

    def _meets(self, plan: QuantizationPlan) -> bool:
        """Whether a candidate, scored on all items, meets the budget; one that would not is not scored on all."""
        if not self.scores.size:
            self.estimates.append(self._score(plan, self._prepared(plan)).drop)
            return self.estimates[-1] <= self.max_drop
        estimate, score = self._estimate(plan)
        if self.found and estimate > self.max_drop:
            return False
        candidate = self._score(plan, score)
        self.estimates[-1] = candidate.drop
        return candidate.finished and candidate.drop <= self.max_drop

    def _prepared(self, plan: QuantizationPlan) -> Score:
        self.step(len(self.estimates) + 1, len(self.estimates) + 1)
        return self.scorer.of(self.calibrated.build(plan), plan.recipe.runtime_precision)

    def _score(self, plan: QuantizationPlan, score: Score) -> _Candidate:
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
        cost = sum(self.cost.get(group, 0.0) for group in plan.precisions)
        self.found.append(_Candidate(plan, mean, drop, cost, scores))
        return self.found[-1]

    def _estimate(self, plan: QuantizationPlan) -> tuple[float, Score]:
        """Drop of a candidate by its scores on hard items and its ancestor's on the others, where there is one."""
        score = self._prepared(plan)
        drop = self._estimated_drop(plan, score)
        self.estimates.append(drop)
        return drop, score

    def _estimated_drop(self, plan: QuantizationPlan, score: Score) -> float:
        if not self.found:
            return self.max_drop
        if not self.scores.size:
            return self.reference - score(None)[0]
        whole = [candidate for candidate in self.found if not candidate.plan.precisions]
        ancestor = min(whole, key=lambda c: (c.plan.recipe != plan.recipe, c.drop))
        known = ~np.isnan(ancestor.scores)
        lost = np.where(known, self.scores - np.nan_to_num(ancestor.scores), 0.0)
        hard = self._hard(known)
        lost[hard] = self.scores[hard] - score(hard)[1]
        return float(lost[known].mean())

    def _hard(self, among: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Items that candidates so far scored differently from the float model, most so first."""
        differences = np.max([np.nan_to_num(np.abs(self.scores - c.scores)) for c in self.found], axis=0)
        differences = np.where(among, differences, 0.0)
        order = np.argsort(-differences, kind="stable")
        held = np.cumsum(differences[order])
        enough = int(np.searchsorted(held, _HELD * held[-1])) + 1 if held[-1] > 0 else 0
        positive = int((differences > 0).sum())
        # All of them where they are few, as with scores of 0 and 1; the most telling ones where all differ a little.
        count = positive if positive <= _MOST_HARD * len(order) else min(enough, int(_MOST_HARD * len(order)))
        return np.asarray(order[: max(count, min(_FEWEST_HARD, int(among.sum())))], np.int64)


def _blocks(groups: Sequence[str]) -> list[Sequence[str]]:
    """Neighbouring groups, as many together as keeps the blocks few enough to be ranked one by one."""
    size = -(-len(groups) // _MOST_BLOCKS)
    return [groups[begin : begin + size] for begin in range(0, len(groups), size)]
