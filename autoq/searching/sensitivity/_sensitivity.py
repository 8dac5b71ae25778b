"""How much units in int8 distort a model's outputs: forward passes only, no labels.

One compiled model has a switch for each unit, so that a unit costs a few inferences and no compilation. Two neighbours
distort together what each distorts alone, and something besides where one rounds what the other has rounded: pairs are
run too, since the sum over units would miss that (as in the interaction terms of CLADO, arXiv 2307.05657).
"""

from __future__ import annotations

import math
import time
import warnings
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov
from joblib import Parallel, delayed
from numpy.typing import NDArray

from autoq.calibration import Feed
from autoq.core import DeviceError, DeviceLostError, DistortionMeasure, Plan, Precision, Recipe
from autoq.evaluation.candidate import ModelRunner
from autoq.evaluation.distortion import SwitchedRuns, distortion
from autoq.graph import Comparable
from autoq.searching.sensitivity._knowledge import Pair
from autoq.searching.sensitivity._plan_builder import PlanBuilder
from autoq.transform import SWITCHES

# Inputs of one shape, and seconds that running all settings on them may take.
_INPUTS = 30
# How many inputs are looked at for one that may be taken.
_LOOKED_AT = 8
MOST_SECONDS = 15.0

Rows = NDArray[np.float32]
Distortions = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """Distortions of a model's outputs.

    Attributes:
        alone: By unit, where it alone is int8; infinite where the device fails to run that.
        interactions: By pair of units, of both in int8 less the sum of each alone; empty where there was no time.
        whole: Of all units in int8.
        inferences: Forward passes that it took at most.
        models: That were compiled for them.
    """

    alone: Mapping[str, float]
    interactions: Mapping[Pair, float]
    whole: float
    inferences: int
    models: int

    @property
    def ranking(self) -> list[str]:
        """Units by distortion alone, most sensitive first."""
        return sorted(self.alone, key=lambda unit: -self.alone[unit])

    def predicted(self, int8: Collection[str]) -> float:
        """Distortion with these units in int8 and the others in float.

        Distortions of units and interactions of pairs add up (HAWQ-V2, arXiv 1911.03852), on the scale on which all
        units together make that of the whole; where the device fails to run a unit, on their own. Infinite with a unit
        that the device fails to run.
        """
        added, every = self._added(int8), self._added(self.alone)
        measured = every > 0 and math.isfinite(every) and math.isfinite(self.whole)
        return added / every * self.whole if measured else added

    def _added(self, int8: Collection[str]) -> float:
        units = set(int8)
        pairs = sum(value for pair, value in self.interactions.items() if units.issuperset(pair))
        return max(sum(value for unit, value in self.alone.items() if unit in units) + pairs, 0.0)


def measure_sensitivities(
    builder: PlanBuilder,
    model: ov.Model,
    units: Mapping[str, Sequence[str]],
    pairs: Sequence[Pair],
    recipe: Recipe,
    *,
    inputs: Sequence[Feed],
    evaluator: ModelRunner,
    precision: Precision | None = None,
    measure: DistortionMeasure = DistortionMeasure.NMSE,
    samples: int = _INPUTS,
    max_seconds: float = MOST_SECONDS,
    limit_s: float = math.inf,
    given_up_after_s: float = math.inf,
    floats: Collection[str] = (),
) -> Sensitivities:
    """Distortion of each unit alone, of pairs of them, and of all.

    Outputs whose shape depends on values are compared as `Comparable` tells.

    It is that of rounding. What kernels add that saturate is not in it: those of CPUs without VNNI, where weights use
    all of their range.

    Args:
        builder: Builds the candidates.
        model: The float model.
        units: Groups by unit.
        pairs: Units whose interaction is measured; that of units with bodies is not.
        recipe: Held for every candidate.
        inputs: Calibration inputs; some of the most frequent shape are run.
        evaluator: Runs models, in f32.
        precision: What units are quantized to; None is the mode of the recipe.
        measure: What is measured.
        samples: How many inputs are run at most.
        max_seconds: As many of them, the first ones, as fit into this time; four in any case.
        limit_s: What even these four may take: as many as fit, one in any case. Where one does not fit with the pairs,
            these are not measured.
        given_up_after_s: Where units cannot be switched within one model, those that are not reached by then count as
            the worst of those that are.
        floats: Groups of no unit that are float in any case.

    Raises:
        DeviceError: The device fails to run the float model.
    """
    names = list(units)
    pairs = [pair for pair in pairs if not builder.unswitchable & {group for unit in pair for group in units[unit]}]
    index = {unit: number for number, unit in enumerate(names)}
    settings = np.eye(len(names), dtype=np.float32)
    together = [settings[index[first]] + settings[index[second]] for first, second in pairs]
    feeds = alike(inputs, samples)
    on = recipe.mode if precision is None else precision
    runs = _Runs(builder, model, list(units.values()), recipe, feeds, evaluator, measure, on=on, floats=floats)
    rows = np.array([np.ones(len(names)), *settings, *together], np.float32)
    found, models = runs.distortions(
        rows,
        needed=1 + len(names),
        max_seconds=max_seconds,
        limit_s=limit_s,
        given_up_after_s=given_up_after_s,
    )
    unknown = np.isnan(found)
    found[unknown] = np.max(found, where=np.isfinite(found), initial=0.0) or 1.0
    alone = dict(zip(names, found[1:].tolist(), strict=False))
    both = found[1 + len(names) :].tolist()
    interactions = {pair: value - alone[pair[0]] - alone[pair[1]] for pair, value in zip(pairs, both, strict=False)}
    return Sensitivities(alone, interactions, float(found[0]), (len(found) + 1) * len(runs.feeds), models)


def measure_restorations(
    builder: PlanBuilder,
    model: ov.Model,
    units: Mapping[str, Sequence[str]],
    recipe: Recipe,
    *,
    inputs: Sequence[Feed],
    evaluator: ModelRunner,
    restored: Precision = Precision.FLOAT,
    floats: Collection[str] = (),
    samples: int = _INPUTS,
    workers: int = 1,
    limit_s: float = math.inf,
) -> dict[str, float]:
    """How much less a quantized model distorts (NMSE) with each unit restored, and the others quantized.

    Args:
        builder: Builds the candidates.
        model: The float model.
        units: Groups by unit.
        recipe: Of the quantized model.
        inputs: Calibration inputs; some of the most frequent shape are run.
        evaluator: Runs models, in f32.
        restored: What a unit is restored to.
        floats: Groups of no unit that are float in any case.
        samples: How many inputs are run at most.
        workers: Models that are compiled at a time, where units cannot be switched within one.
        limit_s: Seconds; units that there is no time for win nothing back.

    Raises:
        DeviceError: The device fails to run the float model.
    """
    groups, feeds = list(units.values()), alike(inputs, samples)
    runs = _Runs(builder, model, groups, recipe, feeds, evaluator, on=recipe.mode, off=restored, floats=floats)
    every = np.ones((1, len(units)), np.float32)
    rows = np.concatenate([every, every - np.eye(len(units), dtype=np.float32)])
    found, _ = runs.distortions(
        rows,
        needed=len(rows),
        max_seconds=MOST_SECONDS,
        limit_s=limit_s,
        given_up_after_s=limit_s,
        workers=workers,
    )
    won = np.where(np.isnan(found[1:]), 0.0, found[0] - found[1:])
    return dict(zip(units, won.tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class _Runs:
    """Candidates of one recipe, which differ in the units that are quantized.

    Attributes:
        builder: Builds them.
        model: The float model.
        units: Groups of each unit.
        recipe: Of all of them.
        feeds: What they are run on, of one shape.
        evaluator: Runs them.
        measure: Of distortion.
        on: What units are quantized to.
        off: What units are that are not quantized.
        floats: Groups of no unit that are float in any case.
    """

    builder: PlanBuilder
    model: ov.Model
    units: Sequence[Sequence[str]]
    recipe: Recipe
    feeds: Sequence[Feed]
    evaluator: ModelRunner
    measure: DistortionMeasure = DistortionMeasure.NMSE
    on: Precision = Precision.INT8
    off: Precision = Precision.FLOAT
    floats: Collection[str] = ()

    def distortions(
        self,
        rows: Rows,
        *,
        needed: int,
        max_seconds: float,
        limit_s: float,
        given_up_after_s: float = math.inf,
        workers: int = 1,
    ) -> tuple[Distortions, int]:
        """Distortion of each row, and how many models were compiled.

        Args:
            rows: 1 where a unit is quantized, [n, units].
            needed: The first so many are those that matter.
            max_seconds: As of `SwitchedRuns`.
            limit_s: As of `SwitchedRuns`.
            given_up_after_s: Where units cannot be switched within one model, what is not reached by then is NaN.
            workers: Models that are compiled at a time, where units cannot be switched within one.
        """
        held = [bool(self.builder.unswitchable.intersection(groups)) for groups in self.units]
        apart = np.asarray(rows[:, np.array(held, np.bool_)].any(axis=1), np.bool_).reshape(-1)
        if not self.off.is_float or apart[:needed].all():
            return self._one_by_one(rows[:needed], workers, given_up_after_s)
        if not apart.any():
            return self._switched(rows, needed, max_seconds, limit_s, given_up_after_s, workers)
        # What switches do not reach takes a model each; it is all among what matters.
        one_by_one, models = self._one_by_one(rows[apart], workers, given_up_after_s)
        switched, more = self._switched(
            rows[~apart], needed - int(apart.sum()), max_seconds, limit_s, given_up_after_s, workers
        )
        found = np.empty(len(switched) + len(one_by_one))
        apart = apart[: len(found)]
        found[apart], found[~apart] = one_by_one, switched
        return found, models + more

    def _switched(
        self,
        rows: Rows,
        needed: int,
        max_seconds: float,
        limit_s: float,
        given_up_after_s: float,
        workers: int,
    ) -> tuple[Distortions, int]:
        """The same with one model for all rows, where a device runs that."""
        try:
            runs = SwitchedRuns(
                model=Comparable.of(self.model).put_out_by(
                    self.builder.build_switchable(self.recipe, self.units, self.on)
                ),
                inputs=self.feeds,
                switches=rows,
                name=SWITCHES,
                measure=self.measure,
                needed=needed,
                max_seconds=max_seconds,
                limit_s=limit_s,
            )
            return self.evaluator.switched_distortions(runs), 1
        except DeviceLostError:
            raise
        except (DeviceError, RuntimeError) as error:
            warnings.warn(f"units are measured in one model each, since switches fail: {error}", stacklevel=4)
        return self._one_by_one(rows[:needed], workers, given_up_after_s)

    def _one_by_one(self, rows: Rows, workers: int, given_up_after_s: float) -> tuple[Distortions, int]:
        """The same with a model for every row; infinite where the device fails, NaN where there was no time."""
        started = time.monotonic()
        comparable = Comparable.of(self.model)
        reference = self.evaluator.outputs(comparable.put_out_by(self.model), self.feeds)
        every = dict.fromkeys((group for groups in self.units for group in groups), self.off)
        every |= dict.fromkeys(self.floats, Precision.FLOAT)

        def of(row: Rows) -> float:
            if time.monotonic() - started > given_up_after_s:
                return math.nan
            quantized = [group for unit in np.flatnonzero(row).tolist() for group in self.units[unit]]
            plan = Plan.quantized(self.recipe, every | dict.fromkeys(quantized, self.on))
            try:
                model = comparable.put_out_by(self.builder.build(plan))
                return distortion(reference, self.evaluator.outputs(model, self.feeds), self.measure)
            except DeviceLostError:
                raise
            except DeviceError:
                return math.inf

        # Compiling is most of the work, and leaves cores idle.
        found = Parallel(n_jobs=workers, backend="threading")(delayed(of)(row) for row in rows)
        return np.array(found), 1 + len(rows)


def alike(inputs: Sequence[Feed], most: int) -> list[Feed]:
    """A few inputs of one shape, the most frequent among the first ones: a device compiles for every shape anew."""
    by_shape: dict[tuple[tuple[int, ...], ...], list[Feed]] = defaultdict(list)
    for number in range(min(len(inputs), _LOOKED_AT * max(most, _INPUTS))):
        by_shape[tuple(value.shape for value in inputs[number].values())].append(inputs[number])
    return max(by_shape.values(), key=len)[:most]
