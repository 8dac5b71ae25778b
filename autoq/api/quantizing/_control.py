"""Accuracy control: candidates are scored until one meets the budget at the lowest cost found."""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import openvino as ov

from autoq.api.measuring._budget import absolute_drop
from autoq.api.quantizing._calibrated import Calibrated
from autoq.api.quantizing._candidates import Candidates
from autoq.calibration import Feed
from autoq.core import BiasCorrection, Estimate, Plan, Precision, Recipe, RuntimeChoice, RuntimePrecision, shown
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.distortion import F32Runner, Progress
from autoq.evaluation.execution import layer_times
from autoq.evaluation.scoring import Accuracy, Score, Scorer, power_note
from autoq.searching.sensitivity import measure_restorations, restoration_order, restore

_MOST_BLOCKS = 20
# Number of inputs that groups are ranked on.
_RANKED_ON = 16


@dataclass(slots=True)
class Control:
    """One run of accuracy control: its candidates, and when it ends.

    Attributes:
        candidates: The candidates scored.
        inputs: Calibration inputs.
        deadline: Moment of `time.monotonic()`; None is no limit.
        most: Most candidates that are scored; None is no limit.
        own_drop: Drop of the float model at the device's default precision, where that alone is beyond the budget:
            layers left in float then run in f32.
        note: What the labelled data cannot prove of the budget; None where they prove it.
    """

    candidates: Candidates
    inputs: Sequence[Feed]
    deadline: float | None
    most: int | None
    own_drop: float | None = None
    note: str | None = None

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
        mean, scores = scorer.in_f32(calibrated.model)(None)
        budget = absolute_drop(max_drop, mean, relative=relative)
        reference = Accuracy(mean, Estimate(0.0, 0.0, 0.0), scorer.samples(scores), scores)
        candidates = Candidates(
            calibrated=calibrated,
            scorer=scorer,
            reference=mean,
            scores=scores if scorer.per_item else np.empty(0),
            max_drop=float("inf") if budget is None else budget,
            refused=refused,
            step=step,
        )
        return cls(candidates, inputs, deadline, most, note=power_note(reference, budget))

    def run(
        self,
        recipes: Sequence[Recipe],
        restored: Precision,
        runtime: RuntimeConfig,
        *,
        measure_biases: bool,
        workers: int,
    ) -> None:
        """Tries whole models first, then some of the best recipe's groups in float, then all of them.

        Where the float model breaks the budget at the device's default precision, groups left in float would break it
        too. Float layers then run in f32.

        Args:
            recipes: Recipes to try, the preferred one first.
            restored: Precision of restored groups.
            runtime: Compile settings.
            measure_biases: Try accurate bias correction too, with the best of the recipes.
            workers: Groups that are ranked at a time where one model cannot switch them.
        """
        done = self._try_whole(recipes, measure_biases=measure_biases) or self._spent()
        if not done and self._turned_to_f32(runtime):
            in_f32 = [replace(recipe, runtime_precision=RuntimePrecision.F32) for recipe in recipes]
            done = self._try_whole(in_f32, measure_biases=measure_biases) or self._spent()
        if not done:
            self._restore(restored, runtime, workers)

    def _turned_to_f32(self, runtime: RuntimeConfig) -> bool:
        """Whether the float model breaks the budget by itself; the run then goes on in f32."""
        candidates, default = self.candidates, RuntimePrecision.DEFAULT
        model = candidates.calibrated.model
        hint = runtime.for_data().with_precision(default).compile(model).properties.get("INFERENCE_PRECISION_HINT")
        if hint in {None, str(RuntimePrecision.F32)}:
            return False
        drop = candidates.reference - candidates.scorer.of(model, RuntimeChoice(default))(None)[0]
        if drop <= candidates.max_drop:
            return False
        self.own_drop = drop
        candidates.leave_out()
        return True

    def _try_whole(self, recipes: Sequence[Recipe], *, measure_biases: bool) -> bool:
        """Whether a recipe meets the budget with nothing left in float, or the time is up."""
        candidates = self.candidates
        drops: dict[Recipe, float] = {}
        for recipe in recipes:
            if candidates.found and self._spent():
                return True
            if candidates.meets(candidates.plan(recipe)):
                return True
            drops[recipe] = candidates.estimates[-1]
        if not measure_biases or self._spent():
            return False
        best = min(drops, key=drops.__getitem__)
        return candidates.meets(candidates.plan(replace(best, bias_correction=BiasCorrection.ACCURATE)))

    def _restore(self, restored: Precision, runtime: RuntimeConfig, workers: int) -> None:
        """Leaves groups of the best whole model in float."""
        candidates = self.candidates
        best = min(candidates.found, key=lambda candidate: candidate.drop)
        recipe = best.plan.quantization.recipe
        standing = candidates.calibrated.placements.standing(recipe.ignored_scope, recipe.placement)
        groups = [group.name for group in standing.groups if group.name not in candidates.refused]
        if not groups:
            return
        candidates.cost = self._costs(runtime)

        def plan(floats: Iterable[str]) -> Plan:
            return candidates.plan(recipe, dict.fromkeys(floats, restored))

        blocks = {"|".join(block): block for block in _blocks(groups)}
        won = self._won_back(blocks, recipe, restored, runtime, workers)
        cost = {name: sum(candidates.cost[group] for group in block) for name, block in blocks.items()}
        ranked = restoration_order(won, cost)
        order = [group for name in ranked for group in blocks[name]]
        guessed: dict[frozenset[str], bool] = {}
        hopeful: dict[frozenset[str], Score] = {}  # the latest candidate that may meet the budget, compiled already

        def guess(floats: frozenset[str]) -> bool:
            if floats not in guessed:
                drop, score = candidates.estimate(plan(floats))
                guessed[floats] = drop <= candidates.max_drop
                if guessed[floats]:
                    hopeful.clear()
                    hopeful[floats] = score
            return guessed[floats]

        def meets(floats: frozenset[str]) -> bool:
            guessed.clear()  # the items that this candidate gets wrong change the estimates
            candidate = candidates.score(plan(floats), hopeful.get(floats) or candidates.prepared(plan(floats)))
            return candidates.keeps(candidate)

        restore(order, guess, meets, spent=self._spent)
        if not self._spent() and not candidates.within:
            # All groups in float are the last resort, whatever the estimate.
            candidates.score(plan(groups), candidates.prepared(plan(groups)))

    def _won_back(
        self,
        blocks: Mapping[str, Sequence[str]],
        recipe: Recipe,
        restored: Precision,
        runtime: RuntimeConfig,
        workers: int,
    ) -> dict[str, float]:
        """By how much the distortion of the outputs falls with each block restored.

        Distortion tells more than scores, which few groups change alone. It also needs only a few inputs of one shape,
        where scores would make the device compile for every shape.
        """
        return measure_restorations(
            self.candidates.calibrated.builder,
            self.candidates.calibrated.model,
            blocks,
            recipe,
            inputs=self.inputs,
            evaluator=F32Runner(runtime),
            restored=restored,
            floats=self.candidates.refused,
            samples=_RANKED_ON,
            workers=workers,
            limit_s=math.inf if self.deadline is None else max(self.deadline - time.monotonic(), 0.0),
        )

    def _costs(self, runtime: RuntimeConfig) -> dict[str, float]:
        """Milliseconds of each group in float."""
        calibrated = self.candidates.calibrated
        times = layer_times(calibrated.model, runtime.for_data(), self.inputs[0])
        groups = calibrated.placements.reference.groups
        return {group.name: sum(times.get(op, 0.0) for op in group.ops) for group in groups}

    def answer(self) -> ov.Model:
        """The cheapest candidate that meets the budget, else the most accurate one, with a warning."""
        candidates, within = self.candidates, self.candidates.within
        chosen = min(within or candidates.found, key=lambda c: (c.cost, c.drop) if within else (c.drop, c.cost))
        if not within:
            msg = (
                f"no candidate met the drop of at most {candidates.max_drop:.4g} in {candidates.evaluations} "
                f"evaluations: the most accurate one drops by {chosen.drop:.4g}."
            )
            warnings.warn(msg, stacklevel=3)
        if self.own_drop is not None:
            msg = (
                f"the float model itself, at the device's default precision, drops by {shown(self.own_drop)}, beyond "
                f"the drop of at most {candidates.max_drop:.4g}: the returned model was scored with its float layers "
                "in f32. Compile it with INFERENCE_PRECISION_HINT=f32, since a model does not store this setting."
            )
            warnings.warn(msg, stacklevel=3)
        model = candidates.calibrated.build(chosen.plan)
        summary = {
            "score": chosen.mean,
            "float_score": candidates.reference,
            "drop": chosen.drop,
            "drop_interval": candidates.interval(chosen),
            "max_drop": candidates.max_drop,
            "evaluations": candidates.evaluations,
            "runtime_precision": str(chosen.plan.runtime_precision),
            "note": self.note,
        }
        model.set_rt_info(json.dumps(summary), ["autoq", "accuracy_control"])
        return model

    def _spent(self) -> bool:
        """Whether time or evaluations are used up."""
        late = self.deadline is not None and time.monotonic() > self.deadline
        return late or (self.most is not None and self.candidates.evaluations >= self.most)


def _blocks(groups: Sequence[str]) -> list[Sequence[str]]:
    """Blocks of neighbouring groups, few enough to be ranked one by one."""
    size = -(-len(groups) // _MOST_BLOCKS)
    return [groups[begin : begin + size] for begin in range(0, len(groups), size)]
