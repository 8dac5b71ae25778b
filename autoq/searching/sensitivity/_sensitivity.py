"""Sensitivities: the distortion of the outputs when units are quantized, by forward passes without labels.

One compiled model has a switch for each unit, so that a unit costs a few inferences and no compilation. The distortion
of two neighbours is not the sum of both, because one rounds the rounded values of the other. Pairs of neighbours are
therefore run too (as the interaction terms of CLADO, arXiv 2307.05657).
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

# Number of inputs of one shape, and time limit of all settings on them.
_INPUTS = 30
# Number of inputs that are looked at for each one that is taken.
_LOOKED_AT = 8
MOST_SECONDS = 15.0

Rows = NDArray[np.float32]
Distortions = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sensitivities:
    """Distortions of a model's outputs.

    Attributes:
        alone: Distortion with one unit alone quantized, by unit; infinite if the device fails.
        interactions: Distortion with both units of a pair quantized, less the sum of both alone; empty if there was no
            time.
        whole: Distortion with all units quantized.
        inferences: Number of forward passes at most.
        models: Number of models that were compiled.
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
        """Predicted distortion with these units quantized and the others in float.

        Distortions of units and interactions of pairs are added up (HAWQ-V2, arXiv 1911.03852), and scaled so that all
        units together have the distortion of the whole. If the device fails to run a unit, the sum is not scaled; with
        this unit it is infinite.
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

    `Comparable` tells how outputs are compared whose shape depends on values.

    The distortion is that of rounding. It does not include saturation in kernels: CPUs without VNNI saturate if weights
    use their full range.

    Args:
        builder: Builds the candidates.
        model: The float model.
        units: Groups by unit.
        pairs: Pairs of units whose interaction is measured; pairs with bodies are skipped.
        recipe: Recipe of every candidate.
        inputs: Calibration inputs; some inputs of the most frequent shape are run.
        evaluator: Runs models in f32.
        precision: Precision of quantized units; None takes the mode of the recipe.
        measure: Measure of the distortion.
        samples: Largest number of inputs.
        max_seconds: Time limit: the first inputs that fit into it are run, at least four.
        limit_s: Time limit of these four: as many as fit are run, at least one. If one input with all pairs takes
            longer, pairs are not measured.
        given_up_after_s: Time limit if units cannot be switched within one model. Units after it count as the worst of
            the others.
        floats: Groups of no unit, which stay in float.

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
    """Fall of the distortion (NMSE) of a quantized model when one unit is restored.

    Args:
        builder: Builds the candidates.
        model: The float model.
        units: Groups by unit.
        recipe: Recipe of the quantized model.
        inputs: Calibration inputs; some inputs of the most frequent shape are run.
        evaluator: Runs models in f32.
        restored: Precision of a restored unit.
        floats: Groups of no unit, which stay in float.
        samples: Largest number of inputs.
        workers: Number of models that are compiled at a time, if units cannot be switched within one model.
        limit_s: Time limit in seconds; units after it count as winning nothing.

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
    """Runs of candidates that differ in the units that are quantized.

    Attributes:
        builder: Builds the candidates.
        model: The float model.
        units: Groups of each unit.
        recipe: Recipe of every candidate.
        feeds: Inputs of one shape.
        evaluator: Runs models.
        measure: Measure of the distortion.
        on: Precision of quantized units.
        off: Precision of the other units.
        floats: Groups of no unit, which stay in float.
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
        """Distortion of each row, and the number of compiled models.

        Args:
            rows: 1 where a unit is quantized, [n, units].
            needed: Number of the first rows that are always run.
            max_seconds: Time limit, as in `SwitchedRuns`.
            limit_s: Time limit of the needed rows, as in `SwitchedRuns`.
            given_up_after_s: Time limit if units cannot be switched within one model; later rows are NaN.
            workers: Number of models that are compiled at a time, if units cannot be switched within one model.
        """
        held = [bool(self.builder.unswitchable.intersection(groups)) for groups in self.units]
        apart = np.asarray(rows[:, np.array(held, np.bool_)].any(axis=1), np.bool_).reshape(-1)
        if not self.off.is_float or apart[:needed].all():
            return self._one_by_one(rows[:needed], workers, given_up_after_s)
        if not apart.any():
            return self._switched(rows, needed, max_seconds, limit_s, given_up_after_s, workers)
        # Rows that switches do not reach take a model each; all of them are needed.
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
        """The same with one switched model for all rows, if the device runs it."""
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
        """The same with one model for each row; infinite if the device fails, NaN after the time limit."""
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

        # Most of the work is compilation, which leaves cores idle.
        found = Parallel(n_jobs=workers, backend="threading")(delayed(of)(row) for row in rows)
        return np.array(found), 1 + len(rows)


def alike(inputs: Sequence[Feed], most: int) -> list[Feed]:
    """Inputs of the most frequent shape among the first ones: a device compiles anew for each shape."""
    by_shape: dict[tuple[tuple[int, ...], ...], list[Feed]] = defaultdict(list)
    for number in range(min(len(inputs), _LOOKED_AT * max(most, _INPUTS))):
        by_shape[tuple(value.shape for value in inputs[number].values())].append(inputs[number])
    return max(by_shape.values(), key=len)[:most]
