"""Ranks weights by their errors and by what they are multiplied by. Formulas: NNCF 3.4.

| metric                    | score                                                                                |
|---------------------------|--------------------------------------------------------------------------------------|
| hessian_input_activation  | root of the sum of squared errors in 8 bits, times twice the mean square             |
| others                    | 1 / (largest mean squared error of a channel in 8 bits + eps), times their statistic |

A statistic is the mean over samples; eps is the machine's for the type that the weight is stored in. A table of an
embedding, and a weight without an activation, scores 0: it takes the primary mode first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import openvino as ov

from autoq.calibration import Activation, Grams, Summary
from autoq.core import SensitivityMetric
from autoq.graph import Weight, unique_names
from autoq.transform.compress import numbers_of, weight_error, weight_noise

_SUMMARIES: Mapping[SensitivityMetric, Summary] = MappingProxyType(
    {
        SensitivityMetric.HESSIAN_INPUT_ACTIVATION: Summary.MEAN_SQUARE,
        SensitivityMetric.MEAN_ACTIVATION_VARIANCE: Summary.MEAN_VARIANCE,
        SensitivityMetric.MAX_ACTIVATION_VARIANCE: Summary.MAX_VARIANCE,
        SensitivityMetric.MEAN_ACTIVATION_MAGNITUDE: Summary.MEAN_MAGNITUDE,
    }
)
# Bits of the fraction of floating point types.
_FRACTION_BITS = {"f64": 52, "f32": 23, "bf16": 7, "f16": 10}


def activation_scores(
    model: ov.Model,
    weights: Iterable[Weight],
    metric: SensitivityMetric,
    grams: Grams,
    activations: Mapping[str, Activation],
) -> dict[str, float]:
    """The sensitivity of weights by name, with data.

    Args:
        model: The model that the weights were found in; never modified.
        weights: Some of its weights.
        metric: One that needs data.
        grams: Statistics of the activations.
        activations: Activation by name of the weight.
    """
    nodes = unique_names(model)
    found = {}
    for weight in weights:
        activation = activations.get(weight.name)
        if activation is None or weight.is_embedding:
            found[weight.name] = 0.0
            continue
        numbers, statistic = numbers_of(nodes[weight.constant]), grams.summary(activation, _SUMMARIES[metric])
        if metric is SensitivityMetric.HESSIAN_INPUT_ACTIVATION:
            found[weight.name] = weight_noise(numbers, weight.axes) * 2 * statistic
        else:
            least = 2.0 ** -_FRACTION_BITS.get(weight.element_type, 3)
            found[weight.name] = statistic / (weight_error(numbers, weight.axes) + least)
    return found
