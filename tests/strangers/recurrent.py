"""Recurrent networks: cells of ONNX in the forms of several exporters, static and open, in steps and in loops."""

from __future__ import annotations

import numpy as np
from onnx_net import OnnxNet, below, ones, zeros
from registry import onnx_stranger

SIZE_IN, SIZE, STEPS = 10, 12, 8
OPEN = (("batch", 1), ("time", STEPS), SIZE_IN)
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def cell(net: OnnxNet, kind: str, x: str, size_in: int, *rest: str, both: bool = False, **more: object) -> str:
    """All outputs of a cell over x [time, batch, size_in], as [time, batch, size or twice as much]."""
    ways, rows = 1 + both, GATES[kind] * SIZE
    weights = [
        net.weight(ways, rows, size_in, scale=0.3),
        net.weight(ways, rows, SIZE, scale=0.3),
        net.weight(ways, 2 * rows),
    ]
    given = {"hidden_size": SIZE} | ({"direction": "bidirectional"} if both else {}) | more
    outs = 3 if kind == "LSTM" else 2
    y = net(kind, x, *weights, *rest, outs=outs, **given)[0]
    if not both:
        return net.with_axes("Squeeze", y, [1])
    return net("Reshape", net("Transpose", y, perm=[0, 2, 1, 3]), net.constant([0, 0, 2 * SIZE]))


def initial(net: OnnxNet, x: str, ways: int = 1) -> str:
    """Zeros, of the batch that x [batch, ...] has, as PyTorch computes them."""
    batch = net("Gather", net("Shape", x), net.constant([0]), axis=0)
    return net("ConstantOfShape", net("Concat", net.constant([ways]), batch, net.constant([SIZE]), axis=0))


def read_by_time(net: OnnxNet, kind: str, shape: tuple, layers: int, both: bool, more: dict) -> None:
    x = net.input("input", shape)
    states = [initial(net, x, 1 + both) for _ in range(2 if kind == "LSTM" else 1)]
    y, size = net("Transpose", x, perm=[1, 0, 2]), SIZE_IN
    for _ in range(layers):
        y, size = cell(net, kind, y, size, "", *states, both=both, **more), SIZE * (1 + both)
    y = net("Transpose", y, perm=[1, 0, 2])
    last = net("Gather", y, net.constant(-1), axis=1)
    net.output(net("Gemm", last, net.weight(5, size), net.weight(5), transB=1))


FORMS = {
    "lstm_of_static_shape": ("LSTM", (1, STEPS, SIZE_IN), 1, False, {}),
    "lstm_of_open_shape": ("LSTM", OPEN, 1, False, {}),
    "lstm_both_ways_in_two_layers": ("LSTM", OPEN, 2, True, {}),
    "gru_of_static_shape": ("GRU", (1, STEPS, SIZE_IN), 1, False, {"linear_before_reset": 1}),
    "gru_of_open_shape": ("GRU", OPEN, 2, False, {"linear_before_reset": 1}),
    "gru_of_the_other_kind": ("GRU", OPEN, 1, True, {"linear_before_reset": 0}),
    "rnn_of_open_shape": ("RNN", OPEN, 1, False, {}),
    "rnn_both_ways": ("RNN", (1, STEPS, SIZE_IN), 1, True, {"activations": ["Relu", "Relu"]}),
}
for name, form in FORMS.items():
    onnx_stranger(name, opset=14)(lambda net, form=form: read_by_time(net, *form))


@onnx_stranger(opset=13)
def letters_tagged_by_both_ways(net: OnnxNet) -> None:
    x = net("Gather", net.weight(40, SIZE_IN, scale=1), net.input("ids", OPEN[:2], below(40), np.int64), axis=0)
    y = cell(net, "LSTM", net("Transpose", x, perm=[1, 0, 2]), SIZE_IN, both=True)
    net.output(net("Transpose", net.linear(y, 2 * SIZE, 7), perm=[1, 0, 2]))


@onnx_stranger(opset=16)
def text_lines_read_by_columns(net: OnnxNet) -> None:
    """CRNN: convolutions, columns as time, an LSTM both ways."""
    x = net("Relu", net.conv(net.input("image", (1, 1, 8, ("width", 24))), 1, 8, strides=[2, 2]))
    x = net("MaxPool", net("Relu", net.conv(x, 8, SIZE_IN)), kernel_shape=[4, 1], strides=[4, 1])
    x = net("Transpose", net.with_axes("Squeeze", x, [2]), perm=[2, 0, 1])
    x = cell(net, "LSTM", x, SIZE_IN, both=True)
    net.output(net("LogSoftmax", net.linear(x, 2 * SIZE, 20), axis=2))


@onnx_stranger(opset=17)
def states_that_come_in_and_go_out(net: OnnxNet) -> None:
    """A voice detector: one frame a call, states are inputs and outputs."""
    x = net.input("input", (1, 1, 64))
    states = [net.input(name, (1, 1, SIZE), zeros) for name in ("h", "c")]
    x = net("Conv", x, net.weight(SIZE_IN, 1, 16), net.weight(SIZE_IN), strides=[8])
    x = net("Transpose", net("Relu", x), perm=[2, 0, 1])
    weights = [net.weight(1, 4 * SIZE, n, scale=0.3) for n in (SIZE_IN, SIZE)]
    y, h, c = net("LSTM", x, *weights, net.weight(1, 8 * SIZE), "", *states, outs=3, hidden_size=SIZE)
    last = net("Gather", net.with_axes("Squeeze", y, [1]), net.constant(-1), axis=0)
    net.output(net("Sigmoid", net.linear(last, SIZE, 1)), h, c)


@onnx_stranger(opset=14)
def lengths_are_given(net: OnnxNet) -> None:
    x = net.input("input", OPEN)
    lengths = net.input("lengths", (1,), lambda rng, shape: rng.integers(4, STEPS + 1, shape), np.int32)
    y = cell(net, "GRU", net("Transpose", x, perm=[1, 0, 2]), SIZE_IN, lengths, linear_before_reset=1)
    net.output(net.linear(y, SIZE, 5))


@onnx_stranger(opset=14)
def attention_over_an_encoder(net: OnnxNet) -> None:
    x = net("Transpose", net.input("input", OPEN), perm=[1, 0, 2])
    y = net("Transpose", cell(net, "GRU", x, SIZE_IN, linear_before_reset=1), perm=[1, 0, 2])
    scores = net("Softmax", net.linear(net("Tanh", net.linear(y, SIZE, 8)), 8, 1), axis=1)
    mask = net.input("mask", (1, STEPS, 1), ones)
    context = net.with_axes("ReduceSum", net("Mul", y, net("Mul", scores, mask)), [1], keepdims=0)
    net.output(net.linear(context, SIZE, 5))


@onnx_stranger(opset=13)
def cell_in_pieces(net: OnnxNet) -> None:
    """Two steps of an LSTM cell unrolled into its gates."""
    x = net.input("input", (1, 2, SIZE_IN))
    h, c = net.number(np.zeros((1, SIZE))), net.number(np.zeros((1, SIZE)))
    w, u, b = net.weight(4 * SIZE, SIZE_IN), net.weight(4 * SIZE, SIZE), net.weight(4 * SIZE)
    for step in range(2):
        gates = net("Gemm", net("Gather", x, net.constant(step), axis=1), w, b, transB=1)
        gates = net("Add", gates, net("MatMul", h, net("Transpose", u, perm=[1, 0])))
        i, f, g, o = net.split(gates, [SIZE] * 4, 1)
        c = net("Add", net("Mul", net("Sigmoid", f), c), net("Mul", net("Sigmoid", i), net("Tanh", g)))
        h = net("Mul", net("Sigmoid", o), net("Tanh", c))
    net.output(net.linear(h, SIZE, 5), c)
