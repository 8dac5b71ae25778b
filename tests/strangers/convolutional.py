"""Convolutional networks as PyTorch's exporter writes them, from opset 11 to 21."""

from __future__ import annotations

from onnx_net import OnnxNet
from registry import onnx_stranger

IMAGE = (1, 3, 16, 16)
OPEN_IMAGE = (("N", 1), 3, ("H", 16), ("W", 16))


def plain(net: OnnxNet) -> None:
    x = net("Relu", net.conv(net.input("input", OPEN_IMAGE), 3, 8))
    x = net("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net("Relu", net.conv(x, 8, 12))
    net.output(net.head(x, 12))


for opset in (11, 13, 16, 18, 19, 21):
    onnx_stranger(f"convolution_with_bias_opset{opset}", opset=opset)(plain)


@onnx_stranger(opset=12)
def batch_norm_unfolded(net: OnnxNet) -> None:
    x = net.input("input", IMAGE)
    for channels_in, channels in ((3, 8), (8, 8)):
        x = net("Relu", net.batch_norm(net.conv(x, channels_in, channels, bias=False), channels))
    net.output(net.head(x, 8))


@onnx_stranger
def batch_norm_before_convolution(net: OnnxNet) -> None:
    x = net.conv(net.input("input", IMAGE), 3, 8)
    for _ in range(2):
        x = net("Add", x, net.conv(net("Relu", net.batch_norm(x, 8)), 8, 8))
    net.output(net.head(x, 8))


@onnx_stranger(opset=11)
def inverted_residual(net: OnnxNet) -> None:
    def relu6(y: str) -> str:
        return net("Clip", y, net.number(0), net.number(6))

    x = relu6(net.conv(net.input("input", IMAGE), 3, 8, strides=[2, 2]))
    y = relu6(net.conv(x, 8, 24, 1))
    y = relu6(net.conv(y, 24, 24, group=24))
    x = net("Add", net.conv(y, 24, 8, 1), x)
    net.output(net.head(x, 8))


@onnx_stranger
def depthwise_of_open_sizes(net: OnnxNet) -> None:
    x = net("Relu", net.conv(net.input("input", OPEN_IMAGE), 3, 8))
    x = net("Relu", net.batch_norm(net.conv(x, 8, 8, 5, group=8, bias=False), 8))
    net.output(net.conv(x, 8, 4, 1))


@onnx_stranger
def grouped_and_shuffled(net: OnnxNet) -> None:
    x = net("Relu", net.conv(net.input("input", IMAGE), 3, 8))
    x = net("Relu", net.conv(x, 8, 16, group=4))
    x = net("Reshape", x, net.constant([1, 4, 4, 16, 16]))
    x = net("Transpose", x, perm=[0, 2, 1, 3, 4])
    x = net("Reshape", x, net.constant([1, 16, 16, 16]))
    left, right = net.split(x, [8, 8], 1)
    net.output(net.head(net("Concat", net.conv(left, 8, 8), right, axis=1), 16))


def squeezed(net: OnnxNet, x: str, channels: int, gate: str = "Sigmoid") -> str:
    y = net("GlobalAveragePool", x)
    y = net("Relu", net.conv(y, channels, channels // 2, 1))
    return net("Mul", x, net(gate, net.conv(y, channels // 2, channels, 1)))


@onnx_stranger(opset=14)
def squeeze_excite_with_swish(net: OnnxNet) -> None:
    x = net.conv(net.input("input", IMAGE), 3, 8)
    x = net("Mul", x, net("Sigmoid", x))
    x = net.conv(squeezed(net, net.conv(x, 8, 8, group=8), 8), 8, 8, 1)
    net.output(net.head(x, 8))


@onnx_stranger(opset=13)
def hard_swish_in_pieces(net: OnnxNet) -> None:
    def hard_swish(y: str) -> str:
        gate = net("Clip", net("Add", y, net.number(3)), net.number(0), net.number(6))
        return net("Div", net("Mul", y, gate), net.number(6))

    x = hard_swish(net.conv(net.input("input", IMAGE), 3, 8))
    x = squeezed(net, hard_swish(net.conv(x, 8, 8, group=8)), 8, "HardSigmoid")
    net.output(net.head(net.conv(x, 8, 8, 1), 8))


@onnx_stranger(opset=14)
def hard_swish_as_one(net: OnnxNet) -> None:
    x = net("HardSwish", net.conv(net.input("input", IMAGE), 3, 8))
    net.output(net.head(net("HardSwish", net.conv(x, 8, 8)), 8))


@onnx_stranger(opset=18)
def mish(net: OnnxNet) -> None:
    x = net.conv(net.input("input", IMAGE), 3, 8)
    x = net("Mul", x, net("Tanh", net("Softplus", x)))
    net.output(net.head(net("Mish", net.conv(x, 8, 8)), 8))


@onnx_stranger(opset=9)
def residual_blocks_of_old_opset(net: OnnxNet) -> None:
    x = net("Relu", net.conv(net.input("input", IMAGE), 3, 8))
    for stride in (1, 2):
        y = net.conv(net("Relu", net.conv(x, 8, 8, strides=[stride] * 2)), 8, 8)
        x = net("Relu", net("Add", y, x if stride == 1 else net.conv(x, 8, 8, 1, strides=[2, 2])))
    net.output(net.head(x, 8))


@onnx_stranger
def dense_blocks(net: OnnxNet) -> None:
    features = [net.conv(net.input("input", IMAGE), 3, 8)]
    for width in (8, 12, 16):
        x = net("Concat", *features, axis=1) if len(features) > 1 else features[0]
        features.append(net.conv(net("Relu", net.batch_norm(x, width)), width, 4))
    x = net("Concat", *features, axis=1)
    net.output(net.head(net("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]), 20))


@onnx_stranger
def branches_of_many_kernels(net: OnnxNet) -> None:
    x = net("Relu", net.conv(net.input("input", IMAGE), 3, 8))
    pooled = net("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1], count_include_pad=1)
    branches = [net("Relu", net.conv(x, 8, 4, kernel)) for kernel in (1, 3, 5)]
    net.output(net.head(net("Concat", *branches, net.conv(pooled, 8, 4, 1), axis=1), 16))


@onnx_stranger
def decoder_of_transposed_convolutions(net: OnnxNet) -> None:
    skip = net("Relu", net.conv(net.input("input", OPEN_IMAGE), 3, 8))
    x = net("Relu", net.conv(net("MaxPool", skip, kernel_shape=[2, 2], strides=[2, 2]), 8, 16))
    x = net("ConvTranspose", x, net.weight(16, 8, 2, 2), net.weight(8), kernel_shape=[2, 2], strides=[2, 2])
    x = net("Relu", net.conv(net("Concat", skip, x, axis=1), 16, 8))
    net.output(net("Sigmoid", net.conv(x, 8, 1, 1)))


@onnx_stranger
def grouped_transposed_convolution(net: OnnxNet) -> None:
    x = net("Relu", net.conv(net.input("input", IMAGE), 3, 8))
    given = {"kernel_shape": [4, 4], "strides": [2, 2], "pads": [1] * 4, "group": 8}
    x = net("ConvTranspose", x, net.weight(8, 1, 4, 4), net.weight(8), **given)
    net.output(net.conv(net("Relu", x), 8, 3))


@onnx_stranger(opset=11)
def pyramid_resized_to_shapes(net: OnnxNet) -> None:
    """Sizes are computed from the larger map, as PyTorch writes `interpolate(size=...)`."""
    fine = net("Relu", net.conv(net.input("input", OPEN_IMAGE), 3, 8))
    coarse = net("Relu", net.conv(fine, 8, 8, strides=[2, 2]))
    sizes = net.slice(net("Shape", fine), 2, 4, 0)
    sizes = net("Concat", net.slice(net("Shape", coarse), 0, 2, 0), net("Cast", sizes, to=7), axis=0)
    empty = net.constant([], "float32")
    up = net("Resize", net.conv(coarse, 8, 8, 1), empty, empty, sizes, mode="nearest", nearest_mode="floor")
    x = net("Add", net.conv(fine, 8, 8, 1), up)
    net.output(net.conv(x, 8, 4))


@onnx_stranger(opset=19)
def resized_by_scales(net: OnnxNet) -> None:
    x = net("Relu", net.conv(net.input("input", IMAGE), 3, 8))
    scales = net.constant([1, 1, 2, 2], "float32")
    x = net("Resize", x, "", scales, mode="linear", coordinate_transformation_mode="align_corners")
    net.output(net.conv(x, 8, 3))


@onnx_stranger(opset=9)
def upsampled(net: OnnxNet) -> None:
    x = net("Relu", net.conv(net.input("input", IMAGE), 3, 8))
    net.output(net.conv(net("Upsample", x, net.constant([1, 1, 2, 2], "float32"), mode="nearest"), 8, 3))


@onnx_stranger
def super_resolution(net: OnnxNet) -> None:
    x = net.input("input", (("batch", 1), 1, ("height", 12), ("width", 12)))
    x = net("Relu", net.conv(net("Relu", net.conv(x, 1, 8, 5)), 8, 8))
    net.output(net("DepthToSpace", net.conv(x, 8, 4), blocksize=2, mode="CRD"))


@onnx_stranger(opset=11)
def style_transfer(net: OnnxNet) -> None:
    x = net("Pad", net.input("input", IMAGE), net.constant([0, 0, 2, 2, 0, 0, 2, 2]), mode="reflect")
    for channels_in, channels in ((3, 8), (8, 8)):
        x = net.conv(x, channels_in, channels, pads=[0] * 4)
        x = net("InstanceNormalization", x, net.weight(channels, mean=1), net.weight(channels))
        x = net("Relu", x)
    net.output(net.conv(x, 8, 3))


@onnx_stranger
def group_norm_in_pieces(net: OnnxNet) -> None:
    x = net.conv(net.input("input", IMAGE), 3, 8)
    y = net("Reshape", x, net.constant([0, 4, -1]))
    y = net("InstanceNormalization", y, net.number([1] * 4), net.number([0] * 4), epsilon=1e-5)
    y = net("Reshape", y, net("Shape", x))
    y = net("Add", net("Mul", y, net.weight(8, 1, 1, scale=0.3, mean=1)), net.weight(8, 1, 1))
    net.output(net.head(net.conv(net("Relu", y), 8, 8), 8))


@onnx_stranger(opset=21)
def group_norm_as_one(net: OnnxNet) -> None:
    x = net.conv(net.input("input", IMAGE), 3, 8)
    x = net("GroupNormalization", x, net.weight(8, mean=1), net.weight(8), num_groups=4)
    net.output(net.head(net.conv(net("Relu", x), 8, 8), 8))


@onnx_stranger
def parametric_relu(net: OnnxNet) -> None:
    x = net.input("input", IMAGE)
    for channels_in in (3, 8):
        x = net("PRelu", net.conv(x, channels_in, 8), net.weight(8, 1, 1, mean=0.2, scale=0.05))
    net.output(net.head(x, 8))


@onnx_stranger
def leaky_and_elu(net: OnnxNet) -> None:
    x = net("LeakyRelu", net.conv(net.input("input", OPEN_IMAGE), 3, 8), alpha=0.1)
    net.output(net.head(net("Elu", net.conv(x, 8, 8)), 8))


@onnx_stranger
def sound_in_one_dimension(net: OnnxNet) -> None:
    x = net.input("waveform", (("batch", 1), 1, ("time", 320)))
    x = net("Conv", x, net.weight(8, 1, 16), net.weight(8), kernel_shape=[16], strides=[8], pads=[4, 4])
    x = net("Conv", net("Relu", x), net.weight(8, 1, 3), net.weight(8), kernel_shape=[3], pads=[1, 1], group=8)
    x = net("Conv", net("Tanh", x), net.weight(8, 8, 3), net.weight(8), kernel_shape=[3], dilations=[2], pads=[2, 2])
    net.output(net.with_axes("ReduceMean", net("Relu", x), [2], keepdims=0))


@onnx_stranger
def film_in_three_dimensions(net: OnnxNet) -> None:
    x = net("Conv", net.input("clip", (1, 3, 4, 8, 8)), net.weight(6, 3, 3, 3, 3), net.weight(6), pads=[1] * 6)
    x = net("MaxPool", net("Relu", x), kernel_shape=[1, 2, 2], strides=[1, 2, 2])
    x = net("Conv", x, net.weight(6, 6, 1, 3, 3), net.weight(6), pads=[0, 1, 1, 0, 1, 1])
    net.output(net.head(x, 6))


@onnx_stranger
def dilated_pyramid(net: OnnxNet) -> None:
    x = net("Relu", net.conv(net.input("input", IMAGE), 3, 8))
    branches = [net("Relu", net.conv(x, 8, 4, dilations=[rate] * 2)) for rate in (1, 2, 3)]
    pooled = net("Expand", net.conv(net("GlobalAveragePool", x), 8, 4, 1), net.constant([1, 4, 16, 16]))
    net.output(net.conv(net("Concat", *branches, pooled, axis=1), 16, 5, 1))


@onnx_stranger(opset=11)
def flattened_by_its_own_shape(net: OnnxNet) -> None:
    """`x.view(x.size(0), -1)`."""
    x = net.conv(net.input("input", (("N", 1), 3, 8, 8)), 3, 4)
    batch = net("Gather", net("Shape", x), net.constant(0), axis=0)
    shape = net("Concat", net.with_axes("Unsqueeze", batch, [0]), net.constant([-1]), axis=0)
    net.output(net("Gemm", net("Reshape", x, shape), net.weight(5, 256), net.weight(5), transB=1))


@onnx_stranger
def padded_automatically(net: OnnxNet) -> None:
    x = net.input("input", (1, 3, 15, 15))
    x = net("Conv", x, net.weight(8, 3, 3, 3), net.weight(8), auto_pad="SAME_UPPER", strides=[2, 2])
    x = net("MaxPool", net("Relu", x), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    net.output(net.conv(x, 8, 4, pads=[1, 0, 0, 1]))


@onnx_stranger
def local_response(net: OnnxNet) -> None:
    x = net("LRN", net("Relu", net.conv(net.input("input", IMAGE), 3, 8)), size=5, alpha=1e-3, beta=0.75, bias=2.0)
    net.output(net.head(net.conv(x, 8, 8), 8))


@onnx_stranger
def two_towers_of_shared_weights(net: OnnxNet) -> None:
    weights = [net.weight(8, 3, 3, 3), net.weight(8)]
    towers = []
    for name in ("left", "right"):
        x = net("Conv", net.input(name, IMAGE), *weights, pads=[1] * 4)
        towers.append(net("Flatten", net("GlobalAveragePool", net("Relu", x))))
    net.output(net("Mul", *towers), net("Sub", *towers))


@onnx_stranger
def filters_correlated_with_an_image(net: OnnxNet) -> None:
    """A tracker: the kernel is computed from an input."""

    def features(name: str, size: int) -> str:
        return net("Relu", net("Conv", net.input(name, (1, 3, size, size)), *weights, pads=[1] * 4))

    weights = [net.weight(8, 3, 3, 3), net.weight(8)]
    net.output(net("Conv", features("search", 16), features("template", 4)))
