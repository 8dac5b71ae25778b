"""Recurrent operations as converters write them: what comes out compiles, and computes what the float model does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.helper as oh
import openvino as ov
import openvino.opset13 as op
import pytest

import autoq

STEPS, FEATURES, HIDDEN = 8, 12, 16
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(0, 0.2, shape).astype(np.float32)


def samples(scale: float = 1.0) -> list[np.ndarray]:
    shape = (1, STEPS, FEATURES)
    return [(scale * np.random.default_rng(i).normal(0, 1, shape)).astype(np.float32) for i in range(12)]


def first_state(x: ov.Node, state: str, directions: int) -> ov.Node:
    if state == "constant":
        return op.constant(np.zeros((1, directions, HIDDEN), np.float32))
    batch = op.gather(op.shape_of(x), np.array([0]), np.int64(0))
    shape = op.concat([batch, op.constant(np.array([directions])), op.constant(np.array([HIDDEN]))], 0)
    zeros = op.broadcast(np.float32(0), shape)
    # As of a model that is handed its state: neither constant nor computed of shapes alone.
    return zeros if state == "computed" else op.add(zeros, op.tanh(op.reduce_max(x, np.array([1, 2]), keep_dims=True)))


def sequence(kind: str, direction: str, state: str, *, linear_before_reset: bool = False) -> ov.Model:
    """A sequence of all its states, and a product behind it."""
    directions, gates = 2 if direction == "bidirectional" else 1, GATES[kind]
    x = op.parameter([1, STEPS, FEATURES] if state == "constant" else [-1, -1, FEATURES], np.float32, name="x")
    lengths = op.convert(
        op.broadcast(
            op.gather(op.shape_of(x), np.array([1]), np.int64(0)), op.gather(op.shape_of(x), np.array([0]), np.int64(0))
        ),
        "i32",
    )
    h = first_state(x, state, directions)
    biases = gates + linear_before_reset
    weights = [
        op.constant(values(directions, gates * HIDDEN, FEATURES)),
        op.constant(values(directions, gates * HIDDEN, HIDDEN)),
        op.constant(values(directions, biases * HIDDEN)),
    ]
    if kind == "LSTM":
        y = op.lstm_sequence(x, h, h, lengths, *weights, HIDDEN, direction)
    elif kind == "GRU":
        y = op.gru_sequence(x, h, lengths, *weights, HIDDEN, direction, linear_before_reset=linear_before_reset)
    else:
        y = op.rnn_sequence(x, h, lengths, *weights, HIDDEN, direction)
    product = op.matmul(y.output(0), op.constant(values(HIDDEN, 5)), False, False)
    return ov.Model([product], [x], "sequence")


def error(model: ov.Model, reference: ov.Model, inputs: Sequence[np.ndarray], settings: dict[str, str]) -> float:
    pair = [ov.compile_model(part, "CPU", settings) for part in (model, reference)]
    got, want = (np.stack([np.float64(compiled(x)[0]).ravel() for x in inputs]) for compiled in pair)
    return float(((got - want) ** 2).mean() / want.var())


def assert_close(model: ov.Model, data: Sequence[np.ndarray], most: float = 1e-3) -> None:
    quantized = autoq.quantize(model, data)
    assert any(node.get_type_name() == "FakeQuantize" for node in quantized.get_ops())
    for precision in ({"INFERENCE_PRECISION_HINT": "f32"}, {}):
        assert error(quantized, model, data, precision) < most


@pytest.mark.parametrize("scale", [1, 10])
@pytest.mark.parametrize("state", ["constant", "computed", "given"])
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "GRU, linear before reset"])
def test_sequences(kind: str, direction: str, state: str, scale: float) -> None:
    linear = kind.endswith("reset")
    model = sequence(kind.split(",", maxsplit=1)[0], direction, state, linear_before_reset=linear)
    assert_close(model, samples(scale), 3e-3)


def onnx_lstm(path: Path, kind: str, shape: Sequence[int | str], layers: int) -> Path:
    """As PyTorch's exporter writes it: time first, both directions, weights [directions, gates * hidden, input]."""
    gates = GATES[kind]
    nodes = [oh.make_node("Transpose", ["x"], ["t0"], perm=[1, 0, 2])]
    constants = {"s": np.array([0, 0, -1]), "head": values(2 * HIDDEN, 5)}
    for layer in range(layers):
        width = FEATURES if layer == 0 else 2 * HIDDEN
        constants |= {
            f"w{layer}": values(2, gates * HIDDEN, width),
            f"r{layer}": values(2, gates * HIDDEN, HIDDEN),
            f"b{layer}": values(2, 2 * gates * HIDDEN),
        }
        inputs = [f"t{layer}", f"w{layer}", f"r{layer}", f"b{layer}"]
        nodes += [
            oh.make_node(kind, inputs, [f"y{layer}"], hidden_size=HIDDEN, direction="bidirectional"),
            oh.make_node("Transpose", [f"y{layer}"], [f"p{layer}"], perm=[0, 2, 1, 3]),
            oh.make_node("Reshape", [f"p{layer}", "s"], [f"t{layer + 1}"]),
        ]
    nodes.append(oh.make_node("MatMul", [f"t{layers}", "head"], ["y"]))
    graph = oh.make_graph(
        nodes,
        "small",
        [oh.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [oh.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(oh.make_model(graph, opset_imports=[oh.make_opsetid("", 14)], ir_version=8), path)
    return path


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("shape", [(1, STEPS, FEATURES), ("N", "T", FEATURES)])
@pytest.mark.parametrize("kind", GATES)
def test_of_onnx(kind: str, shape: Sequence[int | str], layers: int, tmp_path: Path) -> None:
    model = autoq.read_model(onnx_lstm(tmp_path / "m.onnx", kind, shape, layers))
    cells = [node for node in model.get_ops() if node.get_type_name() == f"{kind}Sequence"]
    assert len(cells) == layers
    for cell in cells:
        weights = [value.get_node().get_type_name() for value in list(cell.input_values())[-3:]]
        assert weights == ["Constant"] * 3
    assert_close(model, samples())


@pytest.mark.filterwarnings("ignore")  # torch's tracer warns of the shapes that it looks at
@pytest.mark.parametrize("kind", GATES)
def test_of_torch(kind: str) -> None:
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = getattr(torch.nn, kind)(FEATURES, HIDDEN, batch_first=True, bidirectional=True, num_layers=2)
            self.head = torch.nn.Linear(2 * HIDDEN, 5)

        def forward(self, x: object) -> object:
            return self.head(self.cell(x)[0])

    torch.manual_seed(0)
    assert_close(autoq.read_model(Net(), torch.ones(1, STEPS, FEATURES)), samples())
