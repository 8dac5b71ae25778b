"""How much units in int8 distort a model's outputs: forward passes only, no labels.

One compiled model has a switch for each unit, so that a unit costs a few inferences and no compilation. Two neighbours
distort together what each distorts alone, and something besides where one rounds what the other has rounded: pairs are
run too, since the sum over units would miss that (as in the interaction terms of CLADO, arXiv 2307.05657).
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import openvino as ov

from autoq.calibration import Feed
from autoq.core import DeviceError, DeviceLostError, DistortionMeasure, Precision, QuantizationPlan, Recipe
from autoq.evaluation import ModelRunner, SwitchedRuns, distortion
from autoq.search._knowledge import Pair
from autoq.search._plan_builder import PlanBuilder
from autoq.transform import SWITCHES

# Inputs of one shape, and seconds that running all settings on them may take.
_INPUTS = 30
# How many inputs are looked at for one that may be taken.
_LOOKED_AT = 8
_MOST_SECONDS = 15.0


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
    measure: DistortionMeasure = DistortionMeasure.NMSE,
    samples: int = _INPUTS,
    max_seconds: float = _MOST_SECONDS,
    limit_s: float = math.inf,
) -> Sensitivities:
    """Distortion of each unit alone, of pairs of them, and of all.

    It is that of rounding. What kernels add that saturate is not in it: those of CPUs without VNNI, where weights use
    all of their range.

    Args:
        builder: Builds the candidates.
        model: The float model.
        units: Groups by unit.
        pairs: Units whose interaction is measured.
        recipe: Held for every candidate.
        inputs: Calibration inputs; some of the most frequent shape are run.
        evaluator: Runs models, in f32.
        measure: What is measured.
        samples: How many inputs are run at most.
        max_seconds: As many of them, the first ones, as fit into this time; four in any case.
        limit_s: What even these four may take: as many as fit, one in any case. Where one does not fit with the pairs,
            these are not measured.

    Raises:
        DeviceError: The device fails to run the float model.
    """
    feeds = alike(inputs, samples)
    names = list(units)
    index = {unit: number for number, unit in enumerate(names)}
    settings = np.eye(len(names), dtype=np.float32)
    together = [settings[index[first]] + settings[index[second]] for first, second in pairs]
    rows = np.array([np.ones(len(names)), *settings, *together], np.float32)
    try:
        runs = SwitchedRuns(
            model=builder.build_switchable(recipe, list(units.values())),
            inputs=feeds,
            switches=rows,
            name=SWITCHES,
            measure=measure,
            needed=1 + len(names),
            max_seconds=max_seconds,
            limit_s=limit_s,
        )
        found = evaluator.switched_distortions(runs)
    except DeviceLostError:
        raise
    except (DeviceError, RuntimeError) as error:
        warnings.warn(f"units are measured in one model each, since switches fail: {error}", stacklevel=2)
        return _one_by_one(builder, model, units, recipe, feeds=feeds, evaluator=evaluator, measure=measure)
    alone = dict(zip(names, found[1:].tolist(), strict=False))
    both = found[1 + len(names) :].tolist()
    interactions = {pair: value - alone[pair[0]] - alone[pair[1]] for pair, value in zip(pairs, both, strict=False)}
    return Sensitivities(alone, interactions, float(found[0]), (len(found) + 1) * len(feeds), 1)


def _one_by_one(
    builder: PlanBuilder,
    model: ov.Model,
    units: Mapping[str, Sequence[str]],
    recipe: Recipe,
    *,
    feeds: Sequence[Feed],
    evaluator: ModelRunner,
    measure: DistortionMeasure,
) -> Sensitivities:
    """The same with a model for every unit; interactions are not measured."""
    reference = evaluator.outputs(model, feeds)
    every = [group for groups in units.values() for group in groups]

    def of(int8: Sequence[str]) -> float:
        plan = QuantizationPlan(recipe, dict.fromkeys(every, Precision.FLOAT) | dict.fromkeys(int8, recipe.mode))
        try:
            return distortion(reference, evaluator.outputs(builder.build(plan), feeds), measure)
        except DeviceLostError:
            raise
        except DeviceError:
            return math.inf

    alone = {unit: of(groups) for unit, groups in units.items()}
    return Sensitivities(alone, {}, of(every), (len(units) + 2) * len(feeds), len(units) + 2)


def alike(inputs: Sequence[Feed], most: int) -> list[Feed]:
    """A few inputs of one shape, the most frequent among the first ones: a device compiles for every shape anew."""
    by_shape: dict[tuple[tuple[int, ...], ...], list[Feed]] = defaultdict(list)
    for number in range(min(len(inputs), _LOOKED_AT * max(most, _INPUTS))):
        by_shape[tuple(value.shape for value in inputs[number].values())].append(inputs[number])
    return max(by_shape.values(), key=len)[:most]
