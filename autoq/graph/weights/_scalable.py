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
    """The weights of matrix products with two axes whose columns may be scaled.

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
                previous = [by_node[node.get_name()] for node in sources if _takes_up(node, by_node, value)]
                if previous:
                    yield Scalable(name, previous[0])
                    continue
        if any(operation(node.get_type_name()).family is Family.ACTIVATION for node in sources):
            yield Scalable(name, None)


def _is_plain(weight: Weight, nodes: Mapping[str, ov.Node]) -> bool:
    """Whether a weight is the second operand of one product of vectors along the last axis."""
    if len(weight.shape) != 2 or len(weight.readers) != 1 or weight.port != 1 or weight.is_embedding:
        return False
    node = nodes[weight.name]
    return node.get_type_name() == "MatMul" and not node.get_attributes()["transpose_a"]


def _takes_up(node: ov.Node, by_node: Mapping[str, str], value: ov.Output) -> bool:
    """Whether the outputs of a product are those channels, and nothing else reads them."""
    if node.get_name() not in by_node or len(node.output(0).get_target_inputs()) != 1:
        return False
    own, channels = node.get_output_partial_shape(0), value.get_partial_shape()
    return bool(own[len(own) - 1] == channels[len(channels) - 1])
