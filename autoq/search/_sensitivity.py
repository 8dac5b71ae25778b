"""How much each group, quantized alone, distorts the model's outputs: forward passes only, no labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.core import Precision, QuantizationPlan, Recipe
from autoq.evaluation import RuntimeConfig
from autoq.transform import CandidateBuilder

Outputs = list[list[NDArray[np.generic]]]


def sensitivities(
    builder: CandidateBuilder,
    model: ov.Model,
    groups: Sequence[str],
    inputs: Sequence[Any],
    recipe: Recipe,
    *,
    runtime: RuntimeConfig,
    progress: Callable[[int, int], None],
) -> dict[str, float]:
    """Output distortion of each group when it alone is int8, most sensitive first.

    The distortion is the normalised mean squared error of the outputs, `sum (y - y_float)^2 / sum (y_float - mean)^2`,
    averaged over outputs, both models executed in f32.

    Args:
        builder: Builds the candidates.
        model: The float model.
        groups: Names of the groups.
        inputs: Model inputs to run, each as OpenVINO takes it.
        recipe: Held for every candidate.
        runtime: Compile settings; its inference precision should be f32.
        progress: Called with groups done and groups in all.

    Returns:
        Distortion by group, descending.
    """
    reference = model_outputs(model, inputs, runtime)
    distortion: dict[str, float] = {}
    for done, group in enumerate(groups, start=1):
        alone = QuantizationPlan(recipe, {g: Precision.INT8 if g == group else Precision.FLOAT for g in groups})
        distortion[group] = normalised_error(reference, model_outputs(builder.build(alone), inputs, runtime))
        progress(done, len(groups))
    return dict(sorted(distortion.items(), key=lambda item: -item[1]))


def model_outputs(model: ov.Model, inputs: Sequence[Any], runtime: RuntimeConfig) -> Outputs:
    """Output arrays of a model, per input.

    Raises:
        DeviceError: The device refuses the model.
    """
    request = runtime.compile(model).compiled_model.create_infer_request()
    return [[np.array(value) for value in request.infer(x).values()] for x in inputs]


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
