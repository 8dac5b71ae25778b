"""Where the numbers of a module stand in its model."""

from __future__ import annotations

import re
from dataclasses import dataclass

import openvino as ov

from autoq.graph import unique_names

# Key of `torch.fx.GraphModule.meta`, which copies of a module keep.
PLACES = "autoq_places"


@dataclass(frozen=True, slots=True)
class TwinPlaces:
    """Names in the module, and in the model that it was made of.

    Attributes:
        constants: Name of the Constant as in `names_of`, by name of the parameter.
        quantizers: Names of the FakeQuantize operations, by name of the quantizer.
        bodies: Name of the operation and the branch, by path of the module of a body, which has places of its own.
    """

    constants: dict[str, str]
    quantizers: dict[str, list[str]]
    bodies: dict[str, tuple[str, int]]


def names_of(model: ov.Model) -> dict[str, ov.Node]:
    """Name -> operation, in topological order; the same at each reading of a model in normal form.

    These are the unique names. A Constant that has only OpenVINO's number is named after the operation that reads it.
    """
    given = unique_names(model)
    own = {op.get_name(): name for name, op in given.items()}
    named: dict[str, ov.Node] = {}
    for name, op in given.items():
        free = name
        if op.get_type_name() == "Constant" and re.fullmatch(r"Constant_\d+", op.get_friendly_name()):
            readers = [(own[t.get_node().get_name()], t.get_index()) for t in op.output(0).get_target_inputs()]
            reader, port = min(readers)
            free = f"{reader}/constant_{port}"
        while free in named or (free != name and free in given):
            free += "#"
        named[free] = op
    return named
