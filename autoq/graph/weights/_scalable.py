"""Finds matrix products whose input channels may be scaled, with the inverse taken up before them: patterns of AWQ.

1. The input is a Multiply of which one side is a matrix product: rows of that product's weight take up the inverse.
2. The input is an activation function, or a Multiply of one: a Multiply before the product takes it up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import openvino as ov

from autoq.graph.operations import Family, operation, unique_names
from autoq.graph.weights._weights import Weight

# Axes of a matrix.
_MATRIX = 2


@dataclass(frozen=True, slots=True)
class Scalable:
    """A weight whose columns may be scaled.

    Attributes:
        weight: Its name.
        previous: Name of the weight whose outputs take up the inverse; None if a Multiply has to.
    """

    weight: str
    previous: str | None


def scalable_weights(model: ov.Model, weights: Iterable[Weight]) -> Iterator[Scalable]:
    """The weights of matrix products whose columns may be scaled: matrices, and stacks with an input for each matrix.

    Args:
        model: The model that the weights were found in; never modified.
        weights: Its weights. Only those among them take up an inverse.
    """
    nodes = unique_names(model)
    plain = {weight.name: weight for weight in weights if _is_plain(weight, nodes)}
    by_node = {nodes[name].get_name(): name for name in plain}
    for name, weight in plain.items():
        value = nodes[name].input_value(1 - weight.port)
        before = value.get_node()
        sources = [before]
        if before.get_type_name() == "Multiply":
            sources = [source.get_node() for source in before.input_values()]
            if len(value.get_target_inputs()) == 1:
                own = [node for node in sources if _takes_up(node, by_node, value)]
                previous = [
                    by_node[node.get_name()] for node in own if _is_alike(weight, plain[by_node[node.get_name()]])
                ]
                if previous:
                    yield Scalable(name, previous[0])
                    continue
        if any(operation(node.get_type_name()).family is Family.ACTIVATION for node in sources):
            yield Scalable(name, None)


def _is_plain(weight: Weight, nodes: Mapping[str, ov.Node]) -> bool:
    """Whether a weight is the second operand of one product of vectors along the last axis."""
    is_matrix = len(weight.shape) in {_MATRIX, _MATRIX + 1} and len(weight.axes) == 1
    if not is_matrix or len(weight.readers) != 1 or weight.port != 1 or weight.is_embedding:
        return False
    node = nodes[weight.name]
    if node.get_type_name() != "MatMul" or node.get_attributes()["transpose_a"]:
        return False
    value = node.input_value(0).get_partial_shape()
    is_stack = len(weight.shape) > _MATRIX
    return not is_stack or (value.rank.is_static and len(value) == len(weight.shape) and value[0] == weight.shape[0])


def _is_alike(weight: Weight, previous: Weight) -> bool:
    """Whether both are matrices, or stacks of as many."""
    return weight.shape[:-_MATRIX] == previous.shape[:-_MATRIX]


def _takes_up(node: ov.Node, by_node: Mapping[str, str], value: ov.Output) -> bool:
    """Whether the outputs of a product are those channels, and nothing else reads them."""
    if node.get_name() not in by_node or len(node.output(0).get_target_inputs()) != 1:
        return False
    own, channels = node.get_output_partial_shape(0), value.get_partial_shape()
    return bool(own[len(own) - 1] == channels[len(channels) - 1])
