"""Files that were quantized before they came, in the formats of ONNX Runtime's quantizer; and weights kept small."""

from __future__ import annotations

import numpy as np
import onnx
from onnx_net import OnnxNet, pixels
from registry import onnx_stranger

IMAGE = (1, 3, 12, 12)


def rounded(weight: np.ndarray, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric 8-bit integers and their scale."""
    axes = tuple(i for i in range(weight.ndim) if i != axis) if axis is not None else None
    scale = np.abs(weight).max(axis=axes) / 127
    wide = scale if axis is None else scale.reshape([-1 if i == axis else 1 for i in range(weight.ndim)])
    return np.clip(np.round(weight / wide), -127, 127).astype(np.int8), np.asarray(scale, np.float32)


def there_and_back(net: OnnxNet, x: str, scale: float, zero: int, kind: type) -> str:
    """QuantizeLinear and DequantizeLinear of an activation."""
    given = net.constant(scale, np.float32), net.constant(zero, kind)
    return net("DequantizeLinear", net("QuantizeLinear", x, *given), *given)


def kept_weight(net: OnnxNet, shape: tuple[int, ...], axis: int | None, kind: type = np.float32) -> str:
    """DequantizeLinear of 8-bit integers."""
    integers, scale = rounded(net.rng.normal(0, 0.3, shape), axis)
    zero = np.zeros(scale.shape, np.int8)
    given = {} if axis is None else {"axis": axis}
    return net("DequantizeLinear", *(net.constant(v, v.dtype) for v in (integers, scale.astype(kind), zero)), **given)


def kept_bias(net: OnnxNet, size: int) -> str:
    values = np.round(net.rng.normal(0, 0.2, size) / 1e-4)
    return net(
        "DequantizeLinear", *(net.constant(v, t) for v, t in ((values, np.int32), (1e-4, np.float32), (0, np.int32)))
    )


def half_of_it(net: OnnxNet, kind: type, axis: int | None) -> None:
    """The first layers come quantized, the last convolution in float, as where a tool left it out."""
    zero = 0 if kind is np.int8 else 128
    x = there_and_back(net, net.input("input", IMAGE), 0.03, zero, kind)
    x = net("Conv", x, kept_weight(net, (8, 3, 3, 3), axis), kept_bias(net, 8), pads=[1] * 4)
    x = there_and_back(net, net("Relu", x), 0.02, -128 if kind is np.int8 else 0, kind)
    x = net("Conv", x, kept_weight(net, (8, 8, 3, 3), axis), kept_bias(net, 8), pads=[1] * 4)
    net.output(net.head(net("Relu", net.conv(net("Relu", x), 8, 8)), 8))


for label, kind, axis in (
    ("signed", np.int8, None),
    ("unsigned", np.uint8, None),
    ("signed_by_channel", np.int8, 0),
    ("unsigned_by_channel", np.uint8, 0),
):
    onnx_stranger(f"half_quantized_{label}", opset=13)(lambda net, kind=kind, axis=axis: half_of_it(net, kind, axis))


@onnx_stranger(opset=13)
def sum_and_matmul_quantized(net: OnnxNet) -> None:
    x = net.input("hidden", (("batch", 1), 6, 16))
    y = net("MatMul", there_and_back(net, x, 0.03, 128, np.uint8), kept_weight(net, (16, 16), 1))
    y = net("Add", there_and_back(net, y, 0.05, 128, np.uint8), there_and_back(net, x, 0.03, 128, np.uint8))
    net.output(net.linear(net("Relu", y), 16, 8))


@onnx_stranger(opset=13)
def weights_alone_kept_as_integers(net: OnnxNet) -> None:
    x = net(
        "Relu", net("Conv", net.input("input", IMAGE), kept_weight(net, (8, 3, 3, 3), 0), net.weight(8), pads=[1] * 4)
    )
    x = net("Relu", net.conv(x, 8, 8))
    x = net("Flatten", net("GlobalAveragePool", x))
    net.output(net("Add", net("MatMul", x, kept_weight(net, (8, 5), 1)), net.weight(5)))


def operators_on_integers(net: OnnxNet, axis: int | None) -> None:
    """QLinearConv between QuantizeLinear and DequantizeLinear; then layers in float."""
    first = net.constant(0.03, np.float32), net.constant(128, np.uint8)
    second = net.constant(0.05, np.float32), net.constant(120, np.uint8)
    integers, scale = rounded(net.rng.normal(0, 0.3, (8, 3, 3, 3)), axis)
    weight = [net.constant(v, v.dtype) for v in (integers, scale, np.zeros(scale.shape, np.int8))]
    x = net("QuantizeLinear", net.input("input", IMAGE), *first)
    x = net("QLinearConv", x, *first, *weight, *second, net.constant(np.arange(8) * 20, np.int32), pads=[1] * 4)
    x = net("Relu", net("DequantizeLinear", x, *second))
    net.output(net.head(net("Relu", net.conv(x, 8, 8)), 8))


onnx_stranger("operators_on_integers", opset=11)(lambda net: operators_on_integers(net, None))
onnx_stranger("operators_on_integers_by_channel", opset=11)(lambda net: operators_on_integers(net, 0))


@onnx_stranger(opset=11)
def quantized_while_it_runs(net: OnnxNet) -> None:
    """Dynamic quantization: DynamicQuantizeLinear, MatMulInteger, scales multiplied back; then a layer in float."""
    x = net.input("hidden", (("batch", 1), 16))
    integers, scale = rounded(net.rng.normal(0, 0.3, (16, 16)), None)
    values, of_x, zero = net("DynamicQuantizeLinear", x, outs=3)
    y = net("MatMulInteger", values, net.constant(integers, np.int8), zero, net.constant(0, np.int8))
    y = net("Mul", net("Cast", y, to=1), net("Mul", of_x, net.constant(scale, np.float32)))
    y = net("Relu", net("Add", y, net.weight(16)))
    net.output(net.linear(y, 16, 5))


@onnx_stranger(opset=21)
def four_bit_weights_in_blocks(net: OnnxNet) -> None:
    x = net.input("hidden", (("batch", 1), 6, 32))
    integers = net.rng.integers(-8, 8, (32, 16)).astype(onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.INT4))
    scale = net.constant(net.rng.uniform(0.02, 0.06, (2, 16)), np.float32)
    weight = net("DequantizeLinear", net.constant(integers, integers.dtype), scale, axis=0, block_size=16)
    net.output(net.linear(net("Relu", net("MatMul", x, weight)), 16, 8))


@onnx_stranger(opset=13)
def pixels_of_eight_bits(net: OnnxNet) -> None:
    """Input in u8, scaled and centred inside."""
    x = net("Cast", net.input("image", (1, 12, 12, 3), pixels, np.uint8), to=1)
    x = net("Div", net("Sub", x, net.number([123.7, 116.3, 103.5])), net.number([58.4, 57.1, 57.4]))
    x = net("Relu", net.conv(net("Transpose", x, perm=[0, 3, 1, 2]), 3, 8))
    net.output(net.head(net("Relu", net.conv(x, 8, 8)), 8))
