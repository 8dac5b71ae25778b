"""Graphs as Paddle's exporter writes them: scales as arithmetic, shapes by slices, odd reshapes."""

from __future__ import annotations

import numpy as np
from onnx_net import OnnxNet, below
from registry import onnx_stranger

IMAGE = (("DynamicDimension.0", 1), 3, ("DynamicDimension.1", 16), ("DynamicDimension.2", 24))


def conv_norm(net: OnnxNet, x: str, channels_in: int, channels: int, kernel: int = 3, **more: object) -> str:
    """Convolution without bias, batch normalization, hard swish by its formula."""
    y = net.batch_norm(net.conv(x, channels_in, channels, kernel, bias=False, **more), channels)
    gate = net("Clip", net("Add", y, net.number(3)), net.number(0), net.number(6))
    return net("Div", net("Mul", y, gate), net.number(6))


def added_bias(net: OnnxNet, x: str, channels: int) -> str:
    """elementwise_add along axis 1: the bias is reshaped in the graph."""
    return net("Add", x, net("Reshape", net.weight(channels), net.constant([1, channels, 1, 1])))


def scaled(net: OnnxNet, x: str, factor: float, shift: float) -> str:
    """Paddle's `scale`, whose neutral parts are written too."""
    return net("Add", net("Mul", x, net.number([factor])), net.number([shift]))


@onnx_stranger(opset=11)
def text_detector(net: OnnxNet) -> None:
    """DB: features of two sizes, added, a head of transposed convolutions."""
    fine = conv_norm(net, net.input("x", IMAGE), 3, 8, strides=[2, 2])
    coarse = conv_norm(net, fine, 8, 8, strides=[2, 2])
    empty = net.constant([], np.float32)
    up = net(
        "Resize",
        coarse,
        empty,
        net.constant([1, 1, 2, 2], np.float32),
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    x = net("Relu", net.batch_norm(net.conv(net("Add", fine, up), 8, 8, bias=False), 8))
    given = {"kernel_shape": [2, 2], "strides": [2, 2]}
    x = added_bias(net, net("ConvTranspose", x, net.weight(8, 1, 2, 2), **given), 1)
    net.output(net("Sigmoid", x))


@onnx_stranger(opset=10)
def text_recognizer(net: OnnxNet) -> None:
    """Columns of pooled features through attention, shapes by Shape, Slice and Concat."""
    x = conv_norm(net, net.input("x", (("N", 1), 3, 8, ("W", 32))), 3, 12, strides=[2, 2])
    x = net("AveragePool", conv_norm(net, x, 12, 12, group=12), kernel_shape=[4, 2], strides=[4, 2])
    x = net("Transpose", net("Squeeze", x, axes=[2]), perm=[0, 2, 1])
    sizes = net("Shape", x)
    steps = net.slice(sizes, 1, 2, 0)
    shape = net("Concat", net.constant([0]), steps, net.constant([3, 2, 6]), axis=0)
    fused = net("Transpose", net("Reshape", net.linear(x, 12, 36), shape), perm=[2, 0, 3, 1, 4])
    query, key, value = (net("Squeeze", net.slice(fused, i, i + 1, 0), axes=[0]) for i in range(3))
    scores = net("MatMul", scaled(net, query, 6**-0.5, 0.0), net("Transpose", key, perm=[0, 1, 3, 2]))
    y = net("MatMul", net("Softmax", scores, axis=3), value)
    y = net(
        "Reshape",
        net("Transpose", y, perm=[0, 2, 1, 3]),
        net("Concat", net.constant([0]), steps, net.constant([12]), axis=0),
    )
    net.output(net("Softmax", net.linear(net("Add", x, net.linear(y, 12, 12)), 12, 20), axis=2))


@onnx_stranger(opset=11)
def lines_read_both_ways(net: OnnxNet) -> None:
    x = conv_norm(net, net.input("x", (("N", 1), 3, 8, ("W", 32))), 3, 10, strides=[2, 2])
    x = net("Squeeze", net("MaxPool", x, kernel_shape=[4, 2], strides=[4, 2]), axes=[2])
    x = net("Transpose", x, perm=[2, 0, 1])
    weights = [net.weight(2, 48, size, scale=0.3) for size in (10, 12)]
    batch = net.slice(net("Shape", x), 1, 2, 0)
    start = net(
        "Expand", net.number(np.zeros((2, 1, 12))), net("Concat", net.constant([2]), batch, net.constant([12]), axis=0)
    )
    y = net(
        "LSTM", x, *weights, net.weight(2, 96), "", start, start, outs=3, hidden_size=12, direction="bidirectional"
    )[0]
    y = net("Reshape", net("Transpose", y, perm=[2, 0, 1, 3]), net.constant([0, 0, 24]))
    net.output(net.linear(y, 24, 20))


@onnx_stranger(opset=12)
def classifier_with_two_outputs_of_one_pool(net: OnnxNet) -> None:
    x = conv_norm(net, net.input("x", IMAGE), 3, 8, strides=[2, 2])
    squeeze = net("GlobalAveragePool", x)
    gate = net("Relu", added_bias(net, net.conv(squeeze, 8, 4, 1, bias=False), 4))
    gate = net("HardSigmoid", added_bias(net, net.conv(gate, 4, 8, 1, bias=False), 8), alpha=0.2, beta=0.5)
    x = conv_norm(net, net("Mul", x, gate), 8, 12, 1)
    pooled = net("Squeeze", net("GlobalAveragePool", x), axes=[2, 3])
    scores = net("Softmax", net("Add", net("MatMul", pooled, net.weight(12, 5, scale=0.3)), net.weight(5)), axis=1)
    net.output(scores, pooled)


@onnx_stranger(opset=11)
def detector_with_sizes_as_inputs(net: OnnxNet) -> None:
    """PP-YOLO: image shape and scale come in, and boxes are multiplied with them."""
    size = net.input("im_shape", (1, 2), lambda rng, shape: np.full(shape, 16.0))
    scale = net.input("scale_factor", (1, 2), lambda rng, shape: rng.uniform(0.5, 2, shape))
    x = conv_norm(net, net.input("image", (1, 3, 16, 16)), 3, 12, strides=[4, 4])
    boxes = net("Reshape", net.conv(x, 12, 4, 1), net.constant([1, 4, 16]))
    boxes = net("Transpose", net("Sigmoid", boxes), perm=[0, 2, 1])
    whole = net("Div", net("Concat", size, size, axis=1), net("Concat", scale, scale, axis=1))
    boxes = net("Mul", boxes, net("Unsqueeze", whole, axes=[1]))
    scores = net("Sigmoid", net("Reshape", net.conv(x, 12, 3, 1), net.constant([1, 3, 16])))
    net.output(boxes, scores)


@onnx_stranger(opset=11)
def words_by_recurrent_layers(net: OnnxNet) -> None:
    ids = net.input("token_ids", (("N", 1), ("T", 8)), below(40), np.int64)
    x = net("Transpose", net("Gather", net.weight(40, 10, scale=1), ids, axis=0), perm=[1, 0, 2])
    ways = []
    for direction in ("forward", "reverse"):
        weights = [net.weight(1, 36, size, scale=0.3) for size in (10, 12)]
        y = net("GRU", x, *weights, net.weight(1, 72), outs=2, hidden_size=12, direction=direction)[0]
        ways.append(net("Squeeze", y, axes=[1]))
    y = net("Transpose", net("Concat", *ways, axis=2), perm=[1, 0, 2])
    net.output(net.linear(y, 24, 7))
