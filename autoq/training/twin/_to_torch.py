"""A model as a PyTorch module."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import openvino as ov
import torch
from torch import fx

from autoq.graph import read_model
from autoq.training.twin._bodies import BODIES, body_places, part_with_bodies
from autoq.training.twin._constants import halves, is_float, numbers, tensor, valid
from autoq.training.twin._fused import Fused, fused_biases
from autoq.training.twin._learned import Learned, constant_values, learned_constants
from autoq.training.twin._limits import Grid, grid_of, shared_grids
from autoq.training.twin._places import PLACES, TwinPlaces, names_of
from autoq.training.twin._quantizers import LearnedQuantizer
from autoq.training.twin._twin import Twin, TwinTracer, as_type, initial_state, on_device
from autoq.training.twin._unknown import check_known
from autoq.training.twin.rows import ROWS, TYPES, Role, TorchRow

# Longer constants are no shapes.
_MOST_SIZES = 1024
_OWN = frozenset({"Parameter", "Constant", "Result", "ReadValue", "Assign"})
_DEVICE = "device_of_values"


def to_torch(
    model: Any, *, embeddings: bool = False
) -> Any:  # a path or a model of any framework; PyTorch has no types
    """A model as a module of PyTorch that computes the same and learns.

    Args:
        model: What `autoq.read_model` reads: a path, or an `ov.Model`, which is not changed.
        embeddings: Whether tables of embeddings and of positions learn too.

    Returns:
        A `torch.fx.GraphModule`. It takes the inputs in the order of `model.inputs`, and gives the output, or a tuple
        of outputs in the order of `model.outputs`. Weights, biases and scales are parameters, named after their
        constants; each FakeQuantize is a `LearnedQuantizer`, if zero is one of its levels. `write_back` puts their
        numbers into the model. All numbers are in single precision. A state begins with its initial value in each call.

    Raises:
        ModelError: The model cannot be read.
        UnknownOperationError: The model has operations that the module cannot have.
    """
    return _Walk(read_model(model), embeddings=embeddings).module()


class _Walk:
    """Makes the module, operation by operation, in topological order.

    Values that are computed from shapes alone stay integers on the CPU: `hosted` has the operations that make them.
    """

    def __init__(self, model: ov.Model, *, embeddings: bool) -> None:
        self.model = model
        self.names = {op.get_name(): name for name, op in names_of(model).items()}
        self.order = model.get_ordered_ops()
        found = {op.get_name(): row_for(op) for op in self.order if op.get_type_name() not in _OWN | BODIES}
        self.rows: dict[str, TorchRow] = {name: row for name, row in found.items() if row is not None}
        check_known([op for op in self.order if op.get_name() in found.keys() - self.rows.keys()])
        fixed = constant_values(model)
        self.fused: dict[str, Fused] = fused_biases(model, fixed)
        self.learned: Learned = learned_constants(model, self.fused)
        self.embeddings = embeddings
        self.grids: dict[str, Grid] = {
            op.get_name(): grid
            for op in self.order
            if op.get_type_name() == "FakeQuantize" and (grid := grid_of(op)) is not None
        }
        self.shared = shared_grids(self.grids, model)
        self.root = torch.nn.Module()
        self.graph = fx.Graph(tracer_cls=TwinTracer)
        self.values: dict[tuple[str, int], Any] = {}
        self.hosted: set[str] = set()
        self.moved: dict[tuple[str, int], Any] = {}
        self.quantizers: dict[str, str] = {}
        self.places = TwinPlaces({}, {}, {})

    def module(self) -> Any:
        """The module."""
        for parameter in self.model.get_parameters():
            name = valid(parameter.get_friendly_name(), lambda _: False)
            given = self.graph.placeholder(name)
            dtype = TYPES[parameter.get_element_type().get_type_name()]
            self.values[parameter.get_name(), 0] = self.call(as_type, (given, dtype), {}, f"{name}_typed")
        together = {fused.op.get_name() for fused in self.fused.values()}
        for op in self.order:
            kind = op.get_type_name()
            if kind == "ReadValue":
                self.values[op.get_name(), 0] = self.state(op)
            elif kind not in _OWN and op.get_name() not in together:
                self.operation(op)
        results = [self.on_device(result.input_value(0)) for result in self.model.get_results()]
        self.graph.output(results[0] if len(results) == 1 else tuple(results))
        made = Twin(self.root, self.graph, "Twin")
        made.meta[PLACES] = self.places
        return made

    def operation(self, op: ov.Node) -> None:
        """Adds an operation."""
        name, kind = op.get_name(), op.get_type_name()
        source = op.input_value(0).get_node() if op.get_input_size() else None
        is_stored = source is not None and source.get_type_name() == "Constant" and is_float(source.get_element_type())
        if kind == "Convert" and is_stored and TYPES[op.get_attributes()["destination_type"]] == torch.float32:
            self.values[name, 0] = self.constant(source)
            return
        if kind in BODIES:
            self.with_bodies(op)
            return
        if name in self.grids:
            value = self.on_device(op.input_value(0))
            self.values[name, 0] = self.graph.call_module(self.quantizer(self.shared[name]), (value,))
            self.places.quantizers[self.quantizers[self.shared[name]]].append(self.names[name])
            return
        fused = self.fused.get(name)
        op, more = (op, {}) if fused is None else (fused.op, {"bias": self.on_device(op.input_value(fused.bias))})
        row = self.rows[op.get_name()]
        if self.is_hosted(op):
            self.hosted.add(name)
        arguments = [self.argument(op, port, row) for port in range(op.get_input_size())]
        made = self.call(row.function, tuple(arguments), attributes(op, row) | more, self.names[name])
        if row.is_tuple:
            for index in range(op.get_output_size()):
                self.values[name, index] = self.graph.call_function(operator.getitem, (made, index))
        else:
            self.values[name, 0] = made

    def with_bodies(self, op: ov.Node) -> None:
        """Adds an operation with bodies."""
        name = valid(self.names[op.get_name()], lambda made: hasattr(self.root, made))
        part = part_with_bodies(op, lambda body: _Walk(body, embeddings=self.embeddings).module())
        self.root.add_module(name, part)
        for path, branch in body_places(op, name).items():
            self.places.bodies[path] = self.names[op.get_name()], branch
        made = self.graph.call_module(name, tuple(self.on_device(value) for value in op.input_values()))
        for index in range(op.get_output_size()):
            self.values[op.get_name(), index] = self.graph.call_function(operator.getitem, (made, index))

    def call(self, function: Any, arguments: tuple[Any, ...], attributes: dict[str, Any], name: str) -> Any:
        """Adds the call of a function, under a name."""
        return self.graph.create_node("call_function", function, arguments, attributes, valid(name, lambda _: False))

    def is_hosted(self, op: ov.Node) -> bool:
        """Whether an operation computes with shapes alone."""
        if op.get_type_name() == "ShapeOf":
            return True
        sources = [value.get_node() for value in op.input_values()]
        known = [source.get_name() in self.hosted for source in sources]
        return any(known) and all(
            is_known or (source.get_type_name() == "Constant" and is_short(source))
            for source, is_known in zip(sources, known, strict=True)
        )

    def argument(self, op: ov.Node, port: int, row: TorchRow) -> Any:
        """What an operation receives at a port."""
        value = op.input_value(port)
        source = value.get_node()
        if source.get_type_name() != "Constant":
            if row.role(port) is Role.SIZES or op.get_name() in self.hosted or op.get_type_name() == "ShapeOf":
                return self.values[source.get_name(), value.get_index()]
            return self.on_device(value)
        if row.role(port) is Role.SIZES:
            return numbers(source).tolist()
        if op.get_name() in self.hosted:
            dtype = TYPES[source.get_element_type().get_type_name()]
            return self.graph.call_function(torch.tensor, (numbers(source).tolist(),), {"dtype": dtype})
        return self.constant(source)

    def on_device(self, value: ov.Output) -> Any:
        """A value on the device of the module."""
        source, index = value.get_node(), value.get_index()
        if source.get_type_name() == "Constant":
            return self.constant(source)
        key = source.get_name(), index
        if source.get_name() not in self.hosted:
            return self.values[key]
        if key not in self.moved:
            self.moved[key] = self.graph.call_function(on_device, (self.values[key], self.device()))
        return self.moved[key]

    def device(self) -> Any:
        """A tensor that tells the device of the module."""
        key = _DEVICE, 0
        if key not in self.values:
            self.root.register_buffer(_DEVICE, torch.zeros(()))
            self.values[key] = self.graph.get_attr(_DEVICE)
        return self.values[key]

    def constant(self, op: ov.Node) -> Any:
        """The parameter or the buffer of a Constant."""
        key = op.get_name(), 0
        if key in self.values:
            return self.values[key]
        converts = halves(op)
        read_as = [self.names[node.get_name()] for node in converts or [op]]
        name = valid(read_as[0], lambda made: hasattr(self.root, made))
        learns, is_table = op.get_name() in self.learned.weights, op.get_name() in self.learned.tables
        if learns or is_table:
            self.root.register_parameter(name, torch.nn.Parameter(tensor(op), learns or self.embeddings))
            self.places.constants[name] = self.names[op.get_name()]
        else:
            self.root.register_buffer(name, tensor(op))
        self.values[key] = self.graph.get_attr(name)
        return self.values[key]

    def quantizer(self, op_name: str) -> str:
        """The module of a FakeQuantize."""
        if op_name not in self.quantizers:
            grid = self.grids[op_name]
            name = valid(self.names[op_name], lambda made: hasattr(self.root, made))
            scale, zero_point = (torch.from_numpy(np.array(part)) for part in (grid.scale, grid.zero_point))
            self.root.add_module(name, LearnedQuantizer(scale, zero_point, grid.levels))
            self.quantizers[op_name] = name
            self.places.quantizers[name] = []
        return self.quantizers[op_name]

    def state(self, op: ov.Node) -> Any:
        """What a state begins with."""
        if op.get_input_size():
            return self.on_device(op.input_value(0))
        shape = [max(size.get_min_length(), 0) for size in op.get_output_partial_shape(0)]
        dtype = TYPES[op.get_output_element_type(0).get_type_name()]
        return self.graph.call_function(initial_state, (self.device(), shape, dtype))


def is_short(constant: ov.Node) -> bool:
    """Whether a constant may be part of a shape."""
    count = 1
    for size in constant.get_output_shape(0):
        count *= size
    return count <= (1 if is_float(constant.get_element_type()) else _MOST_SIZES)


def row_for(op: ov.Node) -> TorchRow | None:
    """The row of an operation: that of its version, or of its type. None if there is none, or it needs more."""
    kind = op.get_type_name()
    is_read = [bool(output.get_target_inputs()) for output in op.outputs()]
    keys = [f"{kind}@{op.get_type_info().version_id}", *[f"{kind}:all"] * any(is_read[1:]), kind]
    found = next((ROWS[key] for key in keys if key in ROWS), None)
    if found is None:
        return None
    given = {name.replace("-", "_") for name in op.get_attributes()}
    return found if all(name in given or may_lack for name, may_lack in found.attributes.items()) else None


def attributes(op: ov.Node, row: TorchRow) -> dict[str, Any]:
    """The attributes of an operation that its function takes."""
    given = {name.replace("-", "_"): value for name, value in op.get_attributes().items()}
    return {name: given[name] for name in row.attributes if name in given}
