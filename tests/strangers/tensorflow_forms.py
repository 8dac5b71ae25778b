"""Graphs as converters from TensorFlow write them: channels last, transposes, biases and norms as arithmetic."""

from __future__ import annotations

import numpy as np
from onnx_net import OnnxNet, below, pixels
from registry import onnx_stranger

IMAGE = (("unk__1", 1), 16, 16, 3)
TO_FIRST, TO_LAST = [0, 3, 1, 2], [0, 2, 3, 1]


def conv_last(net: OnnxNet, x: str, channels_in: int, channels: int, kernel: int = 3, **more: object) -> str:
    """Transposed there and back; the kernel is kept as TensorFlow has it and is transposed too."""
    weight = net.constant(
        net.rng.normal(0, 1.4 / kernel / channels_in**0.5, (kernel, kernel, channels_in, channels)), np.float32
    )
    y = net(
        "Conv",
        net("Transpose", x, perm=TO_FIRST),
        net("Transpose", weight, perm=[3, 2, 0, 1]),
        auto_pad="SAME_UPPER",
        **more,
    )
    return net("Transpose", y, perm=TO_LAST)


def dense(net: OnnxNet, x: str, size_in: int, size: int) -> str:
    return net(
        "Add",
        net("MatMul", x, net.constant(net.rng.normal(0, size_in**-0.5, (size_in, size)), np.float32)),
        net.weight(size),
    )


def relu6(net: OnnxNet, x: str) -> str:
    return net("Min", net("Relu", x), net.number(6))


@onnx_stranger(opset=13)
def channels_last_with_bias(net: OnnxNet) -> None:
    x = net.input("input_1", IMAGE)
    for channels_in in (3, 8):
        x = net("Relu", net("Add", conv_last(net, x, channels_in, 8, strides=[2, 2]), net.weight(8)))
    x = net("Reshape", x, net.constant([-1, 128]))
    net.output(net("Softmax", dense(net, x, 128, 5), axis=-1))


@onnx_stranger(opset=12)
def norm_as_products_and_sums(net: OnnxNet) -> None:
    """Batch normalization of a frozen graph is a Mul and an Add behind the convolution."""
    x = net.input("input_1", IMAGE)
    for channels_in in (3, 8):
        y = conv_last(net, x, channels_in, 8)
        x = net("Relu", net("Add", net("Mul", y, net.weight(8, mean=1)), net.weight(8)))
    net.output(dense(net, net.with_axes("ReduceMean", x, [1, 2], keepdims=0), 8, 5))


@onnx_stranger(opset=11)
def norm_in_all_its_pieces(net: OnnxNet) -> None:
    """gamma * rsqrt(variance + epsilon), computed from constants."""
    x = conv_last(net, net.input("input_1", IMAGE), 3, 8)
    variance = net.number(net.rng.uniform(0.5, 1.5, 8))
    factor = net("Mul", net("Reciprocal", net("Sqrt", net("Add", variance, net.number(1e-3)))), net.weight(8, mean=1))
    shift = net("Sub", net.weight(8), net("Mul", net.weight(8), factor))
    x = relu6(net, net("Add", net("Mul", x, factor), shift))
    net.output(dense(net, net.with_axes("ReduceMean", x, [1, 2], keepdims=0), 8, 5))


@onnx_stranger(opset=13)
def depthwise_channels_last(net: OnnxNet) -> None:
    x = relu6(net, net("Add", conv_last(net, net.input("input_1", IMAGE), 3, 8), net.weight(8)))
    kernel = net.constant(net.rng.normal(0, 0.4, (3, 3, 8, 1)), np.float32)
    kernel = net("Reshape", net("Transpose", kernel, perm=[3, 2, 0, 1]), net.constant([8, 1, 3, 3]))
    y = net("Conv", net("Transpose", x, perm=TO_FIRST), kernel, net.weight(8), group=8, pads=[1] * 4)
    y = relu6(net, net("Transpose", y, perm=TO_LAST))
    net.output(net("Add", x, net("Add", conv_last(net, y, 8, 8, 1), net.weight(8))))


@onnx_stranger(opset=13)
def padded_outside_of_the_convolution(net: OnnxNet) -> None:
    x = net("Pad", net.input("input_1", IMAGE), net.constant([0, 1, 1, 0, 0, 1, 1, 0]))
    weight = net.weight(8, 3, 3, 3)
    x = net("Conv", net("Transpose", x, perm=TO_FIRST), weight, net.weight(8), strides=[2, 2])
    x = net("MaxPool", net("Relu", x), kernel_shape=[2, 2], strides=[2, 2])
    net.output(conv_last(net, net("Transpose", x, perm=TO_LAST), 8, 5, 1))


@onnx_stranger(opset=13)
def resized_half_pixel(net: OnnxNet) -> None:
    x = net("Relu", net("Add", conv_last(net, net.input("input_1", IMAGE), 3, 8), net.weight(8)))
    sizes = net(
        "Concat", net.slice(net("Shape", net("Transpose", x, perm=TO_FIRST)), 0, 2, 0), net.constant([24, 24]), axis=0
    )
    empty = net.constant([], np.float32)
    y = net(
        "Resize",
        net("Transpose", x, perm=TO_FIRST),
        empty,
        empty,
        sizes,
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )
    net.output(conv_last(net, net("Transpose", y, perm=TO_LAST), 8, 4))


@onnx_stranger(opset=13)
def image_scaled_inside(net: OnnxNet) -> None:
    x = net("Cast", net.input("image", IMAGE, pixels, np.uint8), to=1)
    x = net("Sub", net("Mul", x, net.number(1 / 127.5)), net.number(1))
    x = net("Relu", net("Add", conv_last(net, x, 3, 8), net.weight(8)))
    net.output(dense(net, net.with_axes("ReduceMean", x, [1, 2], keepdims=0), 8, 5))


@onnx_stranger(opset=13)
def softmax_in_pieces(net: OnnxNet) -> None:
    x = dense(net, net("Relu", dense(net, net.input("x", (("unk__1", 1), 12)), 12, 16)), 16, 5)
    exponents = net("Exp", net("Sub", x, net.with_axes("ReduceMax", x, [-1])))
    net.output(net("Div", exponents, net.with_axes("ReduceSum", exponents, [-1])))


@onnx_stranger(opset=12)
def dense_over_three_dimensions(net: OnnxNet) -> None:
    """Tensordot: reshaped to a matrix by computed shapes and back."""
    x = net.input("x", (("unk__1", 1), ("unk__2", 6), 12))
    shape = net("Cast", net("Shape", x), to=6)
    y = dense(net, net("Reshape", x, net.constant([-1, 12])), 12, 8)
    back = net("Concat", net.slice(net("Cast", shape, to=7), 0, 2, 0), net.constant([8]), axis=0)
    net.output(net("Relu", net("Reshape", y, back)))


@onnx_stranger(opset=13)
def dilated_by_space_to_batch(net: OnnxNet) -> None:
    x = net("Relu", net("Add", conv_last(net, net.input("input_1", IMAGE), 3, 8), net.weight(8)))
    x = net("SpaceToDepth", net("Transpose", x, perm=TO_FIRST), blocksize=2)
    x = net("Relu", net("Conv", x, net.weight(32, 32, 3, 3), net.weight(32), pads=[1] * 4))
    net.output(net("Transpose", net("DepthToSpace", x, blocksize=2, mode="DCR"), perm=TO_LAST))


@onnx_stranger(opset=13)
def sound_by_two_dimensional_convolutions(net: OnnxNet) -> None:
    """A dimension is added to convolve over time, and dropped again."""
    x = net.with_axes("Unsqueeze", net.input("frames", (("unk__1", 1), 40, 8)), [1])
    x = net("Conv", net("Transpose", x, perm=TO_FIRST), net.weight(12, 8, 1, 5), net.weight(12), kernel_shape=[1, 5])
    x = net.with_axes("Squeeze", net("Transpose", net("Relu", x), perm=TO_LAST), [1])
    net.output(dense(net, net.with_axes("ReduceMax", x, [1], keepdims=0), 12, 4))


@onnx_stranger(opset=13)
def words_embedded_and_summed(net: OnnxNet) -> None:
    ids = net("Cast", net.input("ids", (("unk__1", 1), 8), below(50), np.int32), to=7)
    x = net("Gather", net.weight(50, 12, scale=1), net("Reshape", ids, net.constant([-1])), axis=0)
    x = net("Reshape", x, net.constant([-1, 8, 12]))
    hit = net("Cast", net("Not", net("Equal", net("Reshape", ids, net.constant([-1, 8, 1])), net.constant(0))), to=1)
    x = net.with_axes("ReduceSum", net("Mul", x, hit), [1], keepdims=0)
    net.output(net("Sigmoid", dense(net, net("Tanh", dense(net, x, 12, 12)), 12, 3)))


@onnx_stranger(opset=13)
def layer_norm_by_moments(net: OnnxNet) -> None:
    """Keras: squared difference, rsqrt, and the scale folded into it."""
    x = dense(net, net.input("x", (("unk__1", 1), 6, 12)), 12, 12)
    mean = net.with_axes("ReduceMean", x, [-1])
    away = net("Sub", x, mean)
    variance = net.with_axes("ReduceMean", net("Mul", away, away), [-1])
    scale = net("Mul", net("Reciprocal", net("Sqrt", net("Add", variance, net.number(1e-3)))), net.weight(12, mean=1))
    x = net("Add", net("Mul", x, scale), net("Sub", net.weight(12), net("Mul", mean, scale)))
    net.output(dense(net, x, 12, 5))
