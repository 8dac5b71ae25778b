"""Tensors by which two models of one structure can be compared, if the shape of an output depends on values.

A detector gives as many boxes as it finds, and a speech model as many frames as its words last. So the outputs of a
candidate may have other shapes, or other rows in one place. The floats that decide the shape can be compared: the
inputs of the first operation whose shape depends on values. These are boxes and scores before suppression, for example,
or a length before it is rounded, since rounding makes jumps.

1. An output whose shape depends on no values is compared as it is.
2. Another output is replaced by the tensors that decide its shape.
3. If layers with weights follow these tensors, the output is compared too, as far as both models have it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import openvino as ov
from openvino import opset13 as ops

from autoq.graph.operations import operation, unique_names

# The input of an operation, by unique name and port; or a result, by its number.
InputKey = tuple[str, int] | int


@dataclass(frozen=True, slots=True)
class Comparable:
    """The tensors by which a model and its candidates are compared.

    Attributes:
        places: Tensors that replace the outputs, in their order; None if the outputs are compared as they are.
    """

    places: tuple[InputKey, ...] | None

    @classmethod
    def of(cls, model: ov.Model) -> Self:
        """Finds the tensors of a model; the model is never modified."""
        shapes = _Shapes.of(model)
        places: list[InputKey] = []
        for number, result in enumerate(model.get_results()):
            source = result.input_value(0).get_node()
            if source.get_name() not in shapes.decided:
                places.append(number)
                continue
            border, weighted = shapes.border(source)
            places += dict.fromkeys([*border, *([number] if weighted or not border else [])])
        if places == list(range(len(model.get_results()))):
            return cls(None)
        return cls(tuple(dict.fromkeys(places)))

    def put_out_by(self, model: ov.Model) -> ov.Model:
        """A model whose outputs are the compared tensors.

        Args:
            model: The model, or a candidate of it; never modified.
        """
        if self.places is None:
            return model
        clone = model.clone()
        nodes, results = unique_names(clone), clone.get_results()
        observed = [
            results[place] if isinstance(place, int) else ops.result(nodes[place[0]].input_value(place[1]))
            for place in self.places
        ]
        return ov.Model(observed, clone.get_sinks(), clone.get_parameters(), clone.get_friendly_name())


@dataclass(frozen=True, slots=True)
class _Shapes:
    """Operations whose shapes depend on values, by OpenVINO's own names.

    Attributes:
        name_of: Unique name by OpenVINO's name.
        flowing: Operations that depend on the values of an input, and not only on its shape.
        decided: Operations whose shape depends on values that the model computes as floats.
    """

    name_of: dict[str, str]
    flowing: frozenset[str]
    decided: frozenset[str]

    @classmethod
    def of(cls, model: ov.Model) -> Self:
        nodes = unique_names(model)
        flowing: set[str] = set()
        computed: set[str] = set()
        decided: set[str] = set()
        for op in nodes.values():
            own, kind = op.get_name(), op.get_type_name()
            sources = [value.get_node().get_name() for value in op.input_values()]
            if kind == "ShapeOf":
                if decided.issuperset(sources):
                    flowing.add(own)
                    computed.add(own)
                continue
            if kind not in {"Parameter", "ReadValue"} and flowing.isdisjoint(sources):
                continue
            flowing.add(own)
            floats = any(output.get_element_type().is_real() for output in op.outputs())
            if floats or not computed.isdisjoint(sources):
                computed.add(own)
            if all(output.get_partial_shape().is_static for output in op.outputs()):
                continue
            row = operation(kind)
            deciding = any(source in computed for port, source in enumerate(sources) if port in row.shape_ports)
            if row.shape_of_values or deciding or not decided.isdisjoint(sources):
                decided.add(own)
        names = {op.get_name(): name for name, op in nodes.items()}
        return cls(names, frozenset(flowing), frozenset(decided))

    def border(self, source: ov.Node) -> tuple[list[InputKey], bool]:
        """The tensors that decide the shape of an operation, and whether layers with weights follow them."""
        seen: set[str] = set()
        found: list[InputKey] = []
        weighted = False
        pending = [source]
        while pending:
            op = pending.pop()
            if op.get_name() in seen:
                continue
            seen.add(op.get_name())
            row = operation(op.get_type_name())
            weighted = weighted or (op.get_name() in self.decided and row.quantized and bool(row.weight_ports))
            for port, value in self._read(op):
                other = value.get_node()
                jumps = operation(other.get_type_name()).rounds or not value.get_element_type().is_real()
                if jumps or other.get_name() in self.decided:
                    pending.append(other)
                elif other.get_type_name() != "Parameter":
                    found.append((self.name_of[op.get_name()], port))
        return sorted(found, key=str), weighted

    def _read(self, op: ov.Node) -> Iterator[tuple[int, ov.Output]]:
        for port, value in enumerate(op.input_values()):
            if value.get_node().get_name() in self.flowing:
                yield port, value
