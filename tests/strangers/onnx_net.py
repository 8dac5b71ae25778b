"""Writes ONNX files as exporters write them: nodes, initializers, named open dimensions, an opset."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Sample = dict[str, np.ndarray]
# Size of an axis, or the name of an open one with the size that samples have.
Axis = int | tuple[str, int]
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def even(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Of variance 1, without outliers that a range of few samples would miss."""
    return rng.uniform(-1.7, 1.7, shape)


def pixels(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.integers(0, 256, shape)


def ones(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.ones(shape)


def zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape)


def below(limit: int) -> Draw:
    """Whole numbers from 0 on."""
    return lambda rng, shape: rng.integers(0, limit, shape)


class OnnxNet:
    """A network being written.

    Attributes:
        opset: Version of ONNX's operators.
        kind: Type of weights and of float inputs.
        rng: Of its weights.
    """

    def __init__(self, opset: int = 17, kind: type = np.float32, seed: int = 0) -> None:
        self.opset = opset
        self.kind = np.dtype(kind)
        self.rng = np.random.default_rng(seed)
        self.ir_version = 8 if opset < 19 else 10
        self.initializers_as_inputs = False
        self.constants_as_nodes = False
        self.external_data = False
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._inputs: list[tuple[onnx.ValueInfoProto, tuple[int, ...], np.dtype, Draw]] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._count = 0

    def input(self, name: str, shape: Sequence[Axis], draw: Draw = even, kind: Any = None) -> str:
        """Declares an input and how samples of it are drawn."""
        dtype = np.dtype(self.kind if kind is None else kind)
        dims = [axis if isinstance(axis, int) else axis[0] for axis in shape]
        sizes = tuple(axis if isinstance(axis, int) else axis[1] for axis in shape)
        info = helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), dims)
        self._inputs.append((info, sizes, dtype, draw))
        return name

    def output(self, *names: str, kind: Any = None) -> None:
        """Declares outputs of shapes that the file does not tell."""
        element = helper.np_dtype_to_tensor_dtype(np.dtype(self.kind if kind is None else kind))
        self._outputs += [helper.make_tensor_value_info(name, element, None) for name in names]

    def constant(self, value: Any, kind: Any = np.int64, name: str | None = None) -> str:
        """An initializer, or a Constant node."""
        name = name or self._new("const")
        tensor = numpy_helper.from_array(np.asarray(value, kind), name)
        if self.constants_as_nodes:
            self._nodes.append(helper.make_node("Constant", [], [name], name=f"Constant_{name}", value=tensor))
        else:
            self._weights.append(tensor)
        return name

    def weight(self, *shape: int, scale: float | None = None, mean: float = 0.0) -> str:
        """A seeded initializer; scaled so that activations keep their size, unless `scale` says otherwise."""
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
        spread = (1.4 / np.sqrt(fan_in) if len(shape) > 1 else 0.2) if scale is None else scale
        return self.constant(self.rng.normal(mean, spread, shape), self.kind)

    def number(self, value: Any) -> str:
        """A constant of the network's own type."""
        return self.constant(value, self.kind)

    def __call__(self, kind: str, *inputs: str, outs: int = 1, **attributes: Any) -> Any:
        """Adds a node; gives the name of its output, or a tuple of them."""
        names = [self._new(kind) for _ in range(outs)]
        label = f"/{kind}_{self._count}"
        self._nodes.append(helper.make_node(kind, list(inputs), names, name=label, **attributes))
        return names[0] if outs == 1 else tuple(names)

    # What changed its form from opset to opset.

    def with_axes(self, kind: str, x: str, axes: Sequence[int], **attributes: Any) -> str:
        """Squeeze, Unsqueeze and reductions, whose axes were attributes once."""
        since = 13 if kind in {"Squeeze", "Unsqueeze", "ReduceSum"} else 18
        if self.opset < since:
            return self(kind, x, axes=list(axes), **attributes)
        return self(kind, x, self.constant(axes), **attributes)

    def split(self, x: str, sizes: Sequence[int], axis: int) -> tuple[str, ...]:
        if self.opset < 13:
            return self("Split", x, outs=len(sizes), axis=axis, split=list(sizes))
        return self("Split", x, self.constant(sizes), outs=len(sizes), axis=axis)

    def slice(self, x: str, start: int, end: int, axis: int, step: int = 1) -> str:
        return self("Slice", x, *(self.constant([value]) for value in (start, end, axis, step)))

    # What networks are made of.

    def conv(self, x: str, channels_in: int, channels: int, kernel: int = 3, *, bias: bool = True, **more: Any) -> str:
        """A two-dimensional convolution, padded so that sizes stay unless it strides."""
        group = more.get("group", 1)
        weight = self.weight(channels, channels_in // group, kernel, kernel)
        given = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2 * more.get("dilations", [1])[0]] * 4} | more
        return self("Conv", x, weight, *([self.weight(channels)] if bias else []), **given)

    def batch_norm(self, x: str, channels: int) -> str:
        statistics = [
            self.number(self.rng.uniform(low, high, channels))
            for low, high in ((0.5, 1.5), (-0.3, 0.3), (-0.2, 0.2), (0.5, 1.5))
        ]
        return self("BatchNormalization", x, *statistics, epsilon=1e-5)

    def linear(self, x: str, size_in: int, size: int, *, bias: bool = True) -> str:
        """MatMul and Add, as exporters write a linear layer over tokens."""
        y = self("MatMul", x, self.constant(self.rng.normal(0, 1.2 / np.sqrt(size_in), (size_in, size)), self.kind))
        return self("Add", self.weight(size), y) if bias else y

    def head(self, x: str, channels: int, classes: int = 5) -> str:
        """Pooling, flattening and a Gemm with transposed weights."""
        y = self("Flatten", self("GlobalAveragePool", x), axis=1)
        return self("Gemm", y, self.weight(classes, channels), self.weight(classes), transB=1)

    @contextmanager
    def body(self) -> Iterator[Callable[..., onnx.GraphProto]]:
        """Nodes that are added inside become a graph of their own: `close(name, inputs, outputs)` gives it."""
        outer, self._nodes = self._nodes, []
        inner = self._nodes

        def close(
            name: str, inputs: Sequence[onnx.ValueInfoProto], outputs: Sequence[onnx.ValueInfoProto]
        ) -> onnx.GraphProto:
            return helper.make_graph(inner, name, list(inputs), list(outputs))

        try:
            yield close
        finally:
            self._nodes = outer

    def value(self, name: str, shape: Sequence[int | str] | None = None, kind: Any = None) -> onnx.ValueInfoProto:
        element = helper.np_dtype_to_tensor_dtype(np.dtype(self.kind if kind is None else kind))
        return helper.make_tensor_value_info(name, element, shape)

    def save(self, folder: Path) -> Path:
        """Writes the file."""
        inputs = [info for info, *_ in self._inputs]
        if self.initializers_as_inputs:
            inputs += [helper.make_tensor_value_info(w.name, w.data_type, list(w.dims)) for w in self._weights]
        graph = helper.make_graph(self._nodes, "main_graph", inputs, self._outputs, self._weights)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=self.ir_version
        )
        path = folder / "model.onnx"
        if self.external_data:
            onnx.save(model, path, save_as_external_data=True, location="model.onnx.data", size_threshold=64)
        else:
            onnx.save(model, path)
        return path

    def samples(self, count: int) -> list[Sample]:
        return [
            {info.name: np.asarray(draw(rng, sizes)).astype(dtype) for info, sizes, dtype, draw in self._inputs}
            for rng in (np.random.default_rng([1, number]) for number in range(count))
        ]

    def _new(self, kind: str) -> str:
        self._count += 1
        return f"/{kind}_{self._count}_output_0"
