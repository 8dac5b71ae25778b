"""A model whose shapes are all known, on which channels are followed."""

from __future__ import annotations

import openvino as ov

# Lengths that open axes get: of the first axis, and of others, in turn until the model takes one.
_FIRST = 2
_OTHERS = (32, 224, 3)


def probe(model: ov.Model) -> ov.Model | None:
    """A model with the same operations, in the same order, whose inputs have known shapes.

    Args:
        model: Never modified; it is returned if its inputs have known shapes.

    Returns:
        The model; None if it takes none of the shapes that were tried.
    """
    parameters = model.get_parameters()
    if all(parameter.get_partial_shape().is_static for parameter in parameters):
        return model
    if any(parameter.get_partial_shape().rank.is_dynamic for parameter in parameters):
        return None
    for length in _OTHERS:
        clone = model.clone()
        for parameter in clone.get_parameters():
            shape = parameter.get_partial_shape()
            parameter.set_partial_shape(
                ov.PartialShape([_told(own, length if axis else _FIRST) for axis, own in enumerate(shape)])
            )
        try:
            clone.validate_nodes_and_infer_types()
        except RuntimeError:
            continue
        return clone
    return None


def _told(dimension: ov.Dimension, wanted: int) -> int:
    if dimension.is_static:
        return int(dimension.get_length())
    most = int(dimension.get_max_length())
    return max(int(dimension.get_min_length()), wanted if most < 0 else min(most, wanted))
