"""Compresses the weights of a model, one after the other: no more than one is held in memory beside the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import openvino as ov

from autoq.core import ModelError, WeightFormat, quoted
from autoq.graph import Weight, unique_names
from autoq.transform.compress._encode import encode
from autoq.transform.compress._encoded import Encoded, Numbers
from autoq.transform.compress._stored import numbers_of
from autoq.transform.compress._stored_weight import StoredWeight
from autoq.transform.compress._subgraph import replace_constant
from autoq.transform.compress._weight_error import weight_error

# The step after 1 in the type of a weight, which bounds its sensitivity.
_HALF = 2.0**-10
_EPS = {"f32": 2.0**-23, "f64": 2.0**-52}

Encoder = Callable[[Weight, Numbers, WeightFormat], Encoded]
Step = Callable[[int, int], None]


def plain_encoder(weight: Weight, numbers: Numbers, form: WeightFormat) -> Encoded:
    """Rounds each number to the nearest one of the format, without data."""
    return encode(numbers, form, weight.axes)


def compress_model(
    model: ov.Model,
    weights: Iterable[Weight],
    formats: Mapping[str, WeightFormat],
    *,
    encoder: Encoder = plain_encoder,
    step: Step | None = None,
) -> None:
    """Compresses weights of a model, which is changed.

    Args:
        model: The model that the weights were found in, or its clone.
        weights: The weights of the model.
        formats: Format by name; other weights stay as they are.
        encoder: Finds the stored numbers of a weight.
        step: Is told of the weights done, and of all.

    Raises:
        ModelError: A weight holds numbers that cannot be stored.
    """
    nodes = unique_names(model)
    wanted = [weight for weight in weights if weight.name in formats]
    for done, weight in enumerate(wanted):
        if step is not None:
            step(done, len(wanted))
        constant = nodes.pop(weight.constant)
        try:
            encoded = encoder(weight, numbers_of(constant), formats[weight.name])
        except ValueError as error:
            msg = f"weight {quoted(weight.name)} cannot be compressed: {error}"
            raise ModelError(msg) from None
        replace_constant(constant, StoredWeight.of(encoded), weight.port)
    model.validate_nodes_and_infer_types()


def weight_scores(model: ov.Model, weights: Iterable[Weight]) -> dict[str, float]:
    """The sensitivity of weights by name, without data: 1 / (error of the weight in 8 bits + eps of its type).

    Args:
        model: The model that the weights were found in; never modified.
        weights: Some of its weights.
    """
    nodes = unique_names(model)
    scores = {}
    for weight in weights:
        error = weight_error(numbers_of(nodes[weight.constant]), weight.axes)
        scores[weight.name] = 1 / (error + _EPS.get(weight.element_type, _HALF))
    return scores
