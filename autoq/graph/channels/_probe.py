"""A model whose shapes are all known, on which channels are followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import openvino as ov

# Lengths that open axes get: of the first axis, and of others, in turn until the model takes one.
_FIRST = 2
_OTHERS = (32, 224, 3)


def probe(model: ov.Model, shapes: Mapping[str, Sequence[int]] | None = None) -> ov.Model | None:
    """A model with the same operations, in the same order, whose inputs have known shapes.

    Args:
        model: Never modified; it is returned if its inputs have known shapes.
        shapes: Shapes that inputs were seen with, by name; they are tried first.

    Returns:
        The model; None if it takes none of the shapes that were tried.
    """
    parameters = model.get_parameters()
    if all(parameter.get_partial_shape().is_static for parameter in parameters):
        return model
    if any(parameter.get_partial_shape().rank.is_dynamic for parameter in parameters):
        return None
    seen = [_seen(parameter, shapes or {}) for parameter in parameters]
    guessed = [[[length] * len(parameter.get_partial_shape()) for parameter in parameters] for length in _OTHERS]
    known = [shape for shape in seen if shape is not None]
    tried = [[[_FIRST, *shape[1:]] for shape in each] for each in guessed]
    if len(known) == len(seen):
        # A model may take no other number of samples than was seen.
        tried = [[[_FIRST, *shape[1:]] for shape in known], known, *tried]
    for wanted in tried:
        clone = model.clone()
        for parameter, shape in zip(clone.get_parameters(), wanted, strict=True):
            told = map(_told, parameter.get_partial_shape(), shape)
            parameter.set_partial_shape(ov.PartialShape(list(told)))
        try:
            clone.validate_nodes_and_infer_types()
        except RuntimeError:
            continue
        return clone
    return None


def _seen(parameter: ov.Node, shapes: Mapping[str, Sequence[int]]) -> list[int] | None:
    """The shape that an input was seen with; None if it was not."""
    names = {parameter.get_friendly_name(), *parameter.output(0).get_names()}
    found = next((list(shape) for name, shape in shapes.items() if name in names), None)
    return found if found is not None and len(found) == len(parameter.get_partial_shape()) else None


def _told(dimension: ov.Dimension, wanted: int) -> int:
    if dimension.is_static:
        return int(dimension.get_length())
    most = int(dimension.get_max_length())
    return max(int(dimension.get_min_length()), wanted if most < 0 else min(most, wanted))
