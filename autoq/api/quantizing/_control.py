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
from types import MappingProxyType

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.api.measuring._budget import absolute_drop
from autoq.api.quantizing._calibrated import Calibrated, Progress
from autoq.calibration import Feed
from autoq.core import BiasCorrection, Estimate, Precision, QuantizationPlan, Recipe, RuntimePrecision, shown
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.distortion import F32Runner
from autoq.evaluation.execution import layer_times
from autoq.evaluation.scoring import Accuracy, Race, Score, Scorer, Scores, paired_drop, power_note, racing_order
from autoq.searching.sensitivity import measure_restorations, restoration_order, restore

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
        refused: Groups that the device does not run in 8 bits: they are float in every candidate.
        deadline: Moment of `time.monotonic()`; None is no limit.
        most: Candidates scored at most; None is no limit.
        step: Called with candidates scored so far, twice.
        cost: Milliseconds of each group in float.
        found: Candidates scored.
        earlier: Candidates scored before f32 was turned to.
        own_drop: Of the float model at the device's default precision, where that alone is beyond the budget: what is
            left in float then runs in f32.
        note: What the labelled data cannot prove of the budget; None where that is nothing.
        estimates: Drops that candidates were estimated to have, in the order in which they were tried.
    """

    calibrated: Calibrated
    inputs: Sequence[Feed]
    scorer: Scorer
    reference: float
    scores: Scores
    max_drop: float
    refused: frozenset[str]
    deadline: float | None
    most: int | None
    step: Progress
    cost: Mapping[str, float] = field(default_factory=dict)
    found: list[_Candidate] = field(default_factory=list)
    earlier: int = 0
    own_drop: float | None = None
    note: str | None = None
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
        refused: frozenset[str],
        deadline: float | None,
        most: int | None,
        step: Progress,
    ) -> Control:
        """Scores the float model, in f32."""
        mean, scores = scorer.of(calibrated.model, RuntimePrecision.F32)(None)
        budget = absolute_drop(max_drop, mean, relative=relative)
        reference = Accuracy(mean, Estimate(0.0, 0.0, 0.0), scorer.samples(scores), scores)
        return cls(
            calibrated=calibrated,
            inputs=inputs,
            scorer=scorer,
            reference=mean,
            scores=scores if scorer.per_item else np.empty(0),
            max_drop=float("inf") if budget is None else budget,
            refused=refused,
            deadline=deadline,
            most=most,
            step=step,
            note=power_note(reference, budget),
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

        Where the float model breaks the budget at the device's default precision, leaving groups in float is in vain:
        all of that then is in f32.

        Args:
            recipes: To try, the preferred one first.
            restored: What groups are restored to.
            runtime: Compile settings.
            measure_biases: Try accurate bias correction too, with the best of the recipes.
            workers: Groups that are ranked at a time, where they cannot be switched within one model.
        """
        done = self._try_whole(recipes, measure_biases=measure_biases) or self._spent()
        if not done and self._turned_to_f32(runtime):
            in_f32 = [replace(recipe, runtime_precision=RuntimePrecision.F32) for recipe in recipes]
            done = self._try_whole(in_f32, measure_biases=measure_biases) or self._spent()
        if not done:
            self._restore(restored, runtime, workers)

    def _turned_to_f32(self, runtime: RuntimeConfig) -> bool:
        """Whether the float model breaks the budget by itself, so that candidates are to be scored in f32 instead."""
        model, default = self.calibrated.model, RuntimePrecision.DEFAULT
        hint = runtime.for_data().with_precision(default).compile(model).properties.get("INFERENCE_PRECISION_HINT")
        if hint in {None, str(RuntimePrecision.F32)}:
            return False
        drop = self.reference - self.scorer.of(model, default)(None)[0]
        if drop <= self.max_drop:
            return False
        self.own_drop, self.earlier = drop, len(self.found)
        self.found.clear()
        return True

    def _try_whole(self, recipes: Sequence[Recipe], *, measure_biases: bool) -> bool:
        """Whether some recipe meets the budget with nothing left in float, or there is no time for more."""
        drops: dict[Recipe, float] = {}
        for recipe in recipes:
            if self.found and self._spent():
                return True
            if self._meets(self._plan(recipe)):
                return True
            drops[recipe] = self.estimates[-1]
        if not measure_biases or self._spent():
            return False
        best = min(drops, key=drops.__getitem__)
        return self._meets(self._plan(replace(best, bias_correction=BiasCorrection.ACCURATE)))

    def _restore(self, restored: Precision, runtime: RuntimeConfig, workers: int) -> None:
        """Leaves groups of the best whole model in float."""
        best = min(self.found, key=lambda candidate: candidate.drop)
        recipe = best.plan.recipe
        standing = self.calibrated.placements.standing(recipe.ignored_scope, recipe.placement)
        groups = [group.name for group in standing.groups if group.name not in self.refused]
        if not groups:
            return
        self.cost = self._costs(runtime)

        def plan(floats: Iterable[str]) -> QuantizationPlan:
            return self._plan(recipe, dict.fromkeys(floats, restored))

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
            floats=self.refused,
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
                f"no candidate met the drop of at most {self.max_drop:.4g} in {self._evaluations} evaluations: the "
                f"most accurate one drops by {chosen.drop:.4g}."
            )
            warnings.warn(msg, stacklevel=3)
        if self.own_drop is not None:
            msg = (
                f"the float model itself, at the device's default precision, drops by {shown(self.own_drop)}, beyond "
                f"the drop of at most {self.max_drop:.4g}: the model that is returned was scored with what it leaves "
                "in float in f32. Compile it with INFERENCE_PRECISION_HINT=f32, which a model cannot say itself."
            )
            warnings.warn(msg, stacklevel=3)
        model = self.calibrated.build(chosen.plan)
        summary = {
            "score": chosen.mean,
            "float_score": self.reference,
            "drop": chosen.drop,
            "drop_interval": self._interval(chosen),
            "max_drop": self.max_drop,
            "evaluations": self._evaluations,
            "runtime_precision": str(chosen.plan.recipe.runtime_precision),
            "note": self.note,
        }
        model.set_rt_info(json.dumps(summary), ["autoq", "accuracy_control"])
        return model

    @property
    def _evaluations(self) -> int:
        return self.earlier + len(self.found)

    def _interval(self, chosen: _Candidate) -> list[float] | None:
        """Ends of the interval of a candidate's drop; None where nothing is known of it."""
        if not self.scores.size or not chosen.finished:
            return None
        drop = paired_drop(self.scores, chosen.scores)
        return [drop.low, drop.high] if drop.known else None

    def _plan(self, recipe: Recipe, restored: Mapping[str, Precision] = MappingProxyType({})) -> QuantizationPlan:
        """A candidate, with some groups restored."""
        return QuantizationPlan(recipe, {**restored, **dict.fromkeys(self.refused, Precision.FLOAT)})

    def _spent(self) -> bool:
        """Whether time or evaluations are used up."""
        late = self.deadline is not None and time.monotonic() > self.deadline
        return late or (self.most is not None and self._evaluations >= self.most)

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
        cost = sum(self.cost.get(group, 0.0) for group in plan.precisions if group not in self.refused)
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
        whole = [candidate for candidate in self.found if self.refused.issuperset(candidate.plan.precisions)]
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
