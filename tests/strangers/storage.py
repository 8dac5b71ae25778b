"""How files keep what they hold: types, constants behind operations, external data, names, old and new forms."""

from __future__ import annotations

import numpy as np
from onnx_net import OnnxNet
from registry import onnx_stranger

IMAGE = (("N", 1), 3, ("H", 12), ("W", 12))


def small(net: OnnxNet) -> None:
    x = net("Relu", net.conv(net.input("input", IMAGE), 3, 8))
    x = net("Relu", net.conv(x, 8, 8))
    net.output(net.head(x, 8))


onnx_stranger("computes_in_float16", opset=17, kind=np.float16)(small)
onnx_stranger("tokens_in_float16", opset=17, kind=np.float16)(
    lambda net: net.output(net.linear(net("Relu", net.linear(net.input("x", (("N", 1), 6, 16)), 16, 32)), 32, 8))
)


@onnx_stranger
def float16_between_float32(net: OnnxNet) -> None:
    """A converter kept the inputs and outputs."""
    x = net("Cast", net.input("input", IMAGE), to=10)
    net.kind = np.dtype(np.float16)
    x = net("Relu", net.conv(x, 3, 8))
    x = net("Cast", net.head(net("Relu", net.conv(x, 8, 8)), 8), to=1)
    net.kind = np.dtype(np.float32)
    net.output(x)


@onnx_stranger
def weights_in_float16_behind_casts(net: OnnxNet) -> None:
    def cast(*shape: int) -> str:
        return net("Cast", net.constant(net.rng.normal(0, 0.3, shape), np.float16), to=1)

    x = net("Relu", net("Conv", net.input("input", IMAGE), cast(8, 3, 3, 3), cast(8), pads=[1] * 4))
    x = net("Relu", net("Conv", x, cast(8, 8, 3, 3), cast(8), pads=[1] * 4))
    x = net("Flatten", net("GlobalAveragePool", x))
    net.output(net("Add", net("MatMul", x, cast(8, 5)), cast(5)))


@onnx_stranger
def weights_in_float64_behind_casts(net: OnnxNet) -> None:
    x = net.input("x", (("N", 1), 16))
    for size in (16, 8):
        weight = net("Cast", net.constant(net.rng.normal(0, 0.3, (16, size)), np.float64), to=1)
        x = net("Relu", net("MatMul", x, weight))
    net.output(x)


@onnx_stranger
def weights_behind_shape_operations(net: OnnxNet) -> None:
    """Kept flat, transposed or squeezed; their shapes are computed."""
    x = net.input("input", IMAGE)
    flat = net.constant(net.rng.normal(0, 0.3, 8 * 27), np.float32)
    weight = net("Reshape", flat, net("Concat", net.constant([8, 3]), net.constant([3, 3]), axis=0))
    x = net("Relu", net("Conv", x, weight, net("Squeeze", net.weight(1, 8), net.constant([0])), pads=[1] * 4))
    turned = net.constant(net.rng.normal(0, 0.2, (3, 3, 8, 8)), np.float32)
    x = net("Conv", x, net("Transpose", turned, perm=[3, 2, 0, 1]), pads=[1] * 4)
    bias = net("Unsqueeze", net.weight(8), net.constant([1, 2]))
    x = net("Flatten", net("GlobalAveragePool", net("Relu", net("Add", x, bias))))
    net.output(net("MatMul", x, net("Transpose", net.weight(5, 8, scale=0.3), perm=[1, 0])))


@onnx_stranger
def weights_that_are_computed(net: OnnxNet) -> None:
    """Weight norm, expanded and concatenated constants."""
    direction, length = net.weight(8, 3, 3, 3), net.weight(8, 1, 1, 1, mean=1)
    norm = net("Sqrt", net.with_axes("ReduceSum", net("Mul", direction, direction), [1, 2, 3]))
    weight = net("Mul", net("Div", direction, norm), length)
    x = net("Relu", net("Conv", net.input("input", IMAGE), weight, net.weight(8), pads=[1] * 4))
    halves = net("Concat", net.weight(4, 8, 1, 1), net.weight(4, 8, 1, 1), axis=0)
    x = net("Add", net("Conv", x, halves), net("Expand", net.weight(1, 1, 1), net.constant([8, 1, 1])))
    net.output(net.head(net("Relu", x), 8))


@onnx_stranger(opset=11)
def bias_behind_a_constant_of_shape(net: OnnxNet) -> None:
    x = net("Conv", net.input("input", IMAGE), net.weight(8, 3, 3, 3), net("ConstantOfShape", net.constant([8])))
    x = net("Add", net("Relu", x), net("Mul", net("ConstantOfShape", net.constant([1, 8, 1, 1])), net.number(2)))
    net.output(net.head(net.conv(x, 8, 8), 8))


@onnx_stranger(opset=8)
def initializers_are_inputs(net: OnnxNet) -> None:
    """Files of IR version 3 list every weight among the inputs."""
    net.ir_version, net.initializers_as_inputs = 3, True
    x = net("Relu", net.conv(net.input("data", (1, 3, 12, 12)), 3, 8))
    x = net("Dropout", net("Relu", net.conv(x, 8, 8)), ratio=0.5)
    net.output(net("Softmax", net.head(x, 8), axis=1))


@onnx_stranger(opset=13)
def constants_are_nodes(net: OnnxNet) -> None:
    net.constants_as_nodes = True
    small(net)


@onnx_stranger
def weights_in_a_file_beside(net: OnnxNet) -> None:
    net.external_data = True
    small(net)


@onnx_stranger(opset=13)
def identities_everywhere(net: OnnxNet) -> None:
    """As exporters write shared weights, and dropouts that are off."""
    weight, bias = net("Identity", net.weight(8, 8, 3, 3)), net("Identity", net("Identity", net.weight(8)))
    x = net("Identity", net.conv(net.input("input", IMAGE), 3, 8))
    for _ in range(2):
        x = net("Identity", net("Relu", net("Conv", x, weight, bias, pads=[1] * 4)))
    net.output(net("Identity", net.head(x, 8)))


@onnx_stranger
def one_matrix_for_two_layers(net: OnnxNet) -> None:
    shared = net.weight(12, 12)
    x = net.input("x", (("N", 1), 12))
    net.output(
        net("MatMul", net("Relu", net("MatMul", x, shared)), shared), net("Gemm", x, shared, transB=1, alpha=0.5)
    )


@onnx_stranger
def gemm_in_all_its_forms(net: OnnxNet) -> None:
    x = net.input("x", (4, 12))
    x = net("Relu", net("Gemm", x, net.weight(12, 16), net.weight(1, 16), alpha=0.7, beta=1.3))
    x = net("Relu", net("Gemm", x, net.weight(8, 16), transB=1))
    net.output(net("Gemm", x, net.weight(4, 6), net.weight(6), transA=1))


@onnx_stranger
def matrix_on_the_left(net: OnnxNet) -> None:
    x = net.input("x", (("N", 1), 12, 6))
    x = net("Add", net("MatMul", net.weight(16, 12), x), net.weight(16, 1))
    net.output(net("MatMul", net.weight(1, 5, 16), net("Relu", x)))


@onnx_stranger
def vector_times_matrix(net: OnnxNet) -> None:
    x = net("MatMul", net.input("x", (12,)), net.weight(12, 12))
    net.output(net("MatMul", net("Tanh", x), net.weight(12, scale=0.3)))


@onnx_stranger
def names_of_all_kinds(net: OnnxNet) -> None:
    x = net.input("serving_default_input:0", (("überall", 1), 3, 8, 8))
    weight = net.constant(net.rng.normal(0, 0.3, (8, 3, 3, 3)), np.float32, "модель/weight 'a';0")
    x = net("Relu", net("Conv", x, weight, net.constant(np.zeros(8), np.float32, "層.bias"), pads=[1] * 4))
    net.output(net.head(x, 8))


@onnx_stranger
def no_weights_that_count(net: OnnxNet) -> None:
    """Arithmetic of inputs; the only product is of two activations."""
    a, b = (net.input(name, (("N", 1), 6, 8)) for name in "ab")
    scores = net("Softmax", net("MatMul", a, net("Transpose", b, perm=[0, 2, 1])), axis=-1)
    net.output(net("MatMul", scores, b))


@onnx_stranger
def outputs_that_are_inputs_and_constants(net: OnnxNet) -> None:
    x = net.input("x", (("N", 1), 12))
    y = net.linear(net("Relu", net.linear(x, 12, 12)), 12, 5)
    net.output(y, net("Identity", x), net("Identity", net.weight(3)))


@onnx_stranger
def same_tensor_at_both_ports(net: OnnxNet) -> None:
    x = net.linear(net.input("x", (("N", 1), 6, 12)), 12, 12)
    gram = net("MatMul", x, net("Transpose", x, perm=[0, 2, 1]))
    net.output(net("MatMul", net("Softmax", gram), net("Mul", x, x)), net("Add", x, x))


@onnx_stranger
def axes_counted_from_behind(net: OnnxNet) -> None:
    x = net.linear(net.input("x", (("N", 1), ("T", 6), 12)), 12, 12)
    y = net("Concat", x, net("Neg", x), axis=-1)
    y = net("Softmax", net("Gather", y, net.constant([-1, -3, 5]), axis=-1), axis=-1)
    net.output(net.linear(y, 3, 4))
