"""How much each group, quantized alone, distorts the model's outputs: forward passes only, no labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import openvino as ov

from autoq.core import DeviceError, DeviceLostError, Precision, QuantizationPlan, Recipe
from autoq.evaluation import Outputs
from autoq.search._plan_builder import PlanBuilder


def sensitivities(
    builder: PlanBuilder,
    model: ov.Model,
    units: Mapping[str, Sequence[str]],
    recipe: Recipe,
    *,
    outputs: Callable[[ov.Model], Outputs],
    progress: Callable[[int, int], None],
) -> dict[str, float]:
    """Output distortion of each unit when it alone is int8, most sensitive first.

    The distortion is the normalised mean squared error of the outputs, `sum (y - y_float)^2 / sum (y_float - mean)^2`,
    averaged over outputs, both models executed in f32.

    Args:
        builder: Builds the candidates.
        model: The float model.
        units: Groups by unit.
        recipe: Held for every candidate.
        outputs: Runs a model in f32, always on the same inputs.
        progress: Called with units done and units in all.

    Returns:
        Distortion by unit, descending; infinite where the device fails to run a model with the unit in int8.

    Raises:
        DeviceError: The device fails to run the float model.
    """
    reference = outputs(model)
    distortion: dict[str, float] = {}
    every = [group for groups in units.values() for group in groups]
    for done, (unit, groups) in enumerate(units.items(), start=1):
        alone = QuantizationPlan(recipe, dict.fromkeys(every, Precision.FLOAT) | dict.fromkeys(groups, Precision.INT8))
        try:
            distortion[unit] = normalised_error(reference, outputs(builder.build(alone)))
        except DeviceLostError:
            raise
        except DeviceError:
            distortion[unit] = float("inf")
        progress(done, len(units))
    return dict(sorted(distortion.items(), key=lambda item: -item[1]))


def normalised_error(reference: Outputs, outputs: Outputs) -> float:
    """Mean over outputs of squared error over variance, each pooled over all inputs.

    Args:
        reference: Per input, the float model's output arrays.
        outputs: Likewise for the candidate.
    """
    shares = []
    for port in range(len(reference[0])):
        truth = np.concatenate([np.asarray(r[port], np.float64).ravel() for r in reference])
        actual = np.concatenate([np.asarray(o[port], np.float64).ravel() for o in outputs])
        spread = float(np.sum((truth - truth.mean()) ** 2))
        error = float(np.sum((actual - truth) ** 2))
        shares.append(error / spread if spread > 0 else error)
    return float(np.mean(shares))
