"""Fast bias correction: the bias of a layer cancels the shift of its mean output that its quantized weights cause.

requires: channel means of the layer's input in the float model; a constant bias after the layer.
ensures: on an input that has the mean of its channel everywhere, the mean of the layer's output is that of the float
    layer; a shift that is too large relative to the bias is not applied.

| name     | meaning                                                   | shape              |
|----------|-----------------------------------------------------------|--------------------|
| x        | channel means of the input, over samples and positions    | [in]               |
| e        | float weight minus quantized weight                       | as the layer's     |
| coverage | share of output positions that a kernel tap reads inside  | [kernel positions] |

The layer is linear: rounding its weight shifts the mean of its output by the mean of the layer with the weight `e`.
This has a closed form, in which each kernel tap counts unless it falls into the padding:

    shift = sum over in and taps of e * x * coverage

NNCF 3.4 subtracts the mean of the quantized layer on the constant input from the measured mean of the float layer on
the real input. This also adds the effect of the constant input itself, at the borders of images for example, to the
bias. Both agree if the constant input is exact: for products, and for kernels of one position.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from autoq.core import FloatArray
from autoq.graph import WeightedLayer
from autoq.transform.quantize._fake_quantize import float_node

_MAX_MAGNITUDE = 2.0


def bias_shift(node: ov.Node, layer: WeightedLayer, error: FloatArray, x: FloatArray) -> FloatArray | None:
    """The shift that restores the mean of a layer's output.

    Args:
        node: The layer's operation in the float model.
        layer: The layer as placement found it.
        error: Float weight minus quantized weight, as the operation reads them.
        x: Channel means of the input, [in].

    Returns:
        [out]; None if the mean has no closed form: with a batch of weights, or with padding around an input whose size
        is not known before the model runs.
    """
    return _matmul_mean(node, layer, error, x) if layer.type == "MatMul" else _convolution_mean(node, error, x)


def acceptable(shift: FloatArray, bias: FloatArray, limit: float = _MAX_MAGNITUDE) -> bool:
    """Whether each shift is below a multiple of its bias. Biases of exactly zero do not count.

    Args:
        shift: [out].
        bias: [out].
        limit: The multiple; NNCF takes 2 for the fast form.
    """
    known = bias != 0
    return not known.any() or bool(np.max(np.abs(shift[known] / bias[known])) < limit)


def _matmul_mean(node: ov.Node, layer: WeightedLayer, weight: FloatArray, x: FloatArray) -> FloatArray | None:
    if weight.ndim != 2:
        return None
    attribute = "transpose_b" if layer.weight_port == 1 else "transpose_a"
    transposed = bool(node.get_attributes()[attribute])
    # A weight as the right factor is [in, out], transposed [out, in]; as the left one it is [out, in], transposed [in,
    # out].
    inputs_first = transposed != (layer.weight_port == 1)
    return _times(weight.T if inputs_first else weight, x)


def _convolution_mean(node: ov.Node, weight: FloatArray, x: FloatArray) -> FloatArray | None:
    coverage = _coverage(node)
    if coverage is None:
        return None
    kernel = node.get_type_name()
    grouped = kernel.startswith("Group")
    if not grouped:
        weight = weight[None]
    backprop = "Backprop" in kernel
    # [groups, out, in] once the taps are summed; the backprop forms store [groups, in, out, taps].
    flat = _times(weight.reshape(-1, coverage.size), coverage.reshape(-1).astype(np.float32))
    summed: NDArray[np.float64] = flat.reshape(*weight.shape[:3]).astype(np.float64)
    if backprop:
        summed = summed.transpose(0, 2, 1)
    return np.asarray(np.einsum("goi,gi->go", summed, x.reshape(summed.shape[0], -1)).reshape(-1), np.float32)


def _times(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    """The product of finite values, in f32."""
    # OpenBLAS may set the flag for invalid values by lanes of a register that are not part of the result.
    with np.errstate(invalid="ignore"):
        return np.asarray(matrix @ vector, np.float32)


def _coverage(node: ov.Node) -> NDArray[np.float64] | None:
    """Share of output positions at which each kernel tap reads the input, [kernel positions]."""
    attributes = node.get_attributes()
    data, result = node.input_value(0).get_partial_shape(), node.output(0).get_partial_shape()
    weight = node.input_value(1).get_partial_shape()
    spatial = len(data) - 2
    kernel = [int(weight[axis - spatial].get_length()) for axis in range(spatial)]
    shares: list[NDArray[np.float64]] = []
    for axis in range(spatial):
        size_in, size_out = data[2 + axis], result[2 + axis]
        geometry = _Geometry.of(attributes, axis)
        if size_in.is_dynamic or size_out.is_dynamic:
            if geometry.before or geometry.after or "Backprop" in node.get_type_name():
                return None
            shares.append(np.ones(kernel[axis]))
            continue
        lengths = (size_in.get_length(), size_out.get_length())
        covered = geometry.scattered if "Backprop" in node.get_type_name() else geometry.gathered
        shares.append(covered(kernel[axis], *lengths))
    return functools.reduce(np.multiply.outer, shares, np.ones(()))


class _Geometry:
    """Stride, dilation and padding of one spatial axis."""

    def __init__(self, stride: int, dilation: int, before: int, after: int) -> None:
        self.stride, self.dilation, self.before, self.after = stride, dilation, before, after

    @classmethod
    def of(cls, attributes: Mapping[str, Any], axis: int) -> _Geometry:
        keys = ("strides", "dilations", "pads_begin", "pads_end")
        return cls(*(int(attributes[key][axis]) for key in keys))

    def gathered(self, kernel: int, size_in: int, size_out: int) -> NDArray[np.float64]:
        """Convolution: an output position o reads input o * stride - before + tap * dilation."""
        read = np.arange(size_out)[:, None] * self.stride - self.before + np.arange(kernel) * self.dilation
        return np.asarray(((read >= 0) & (read < size_in)).mean(axis=0))

    def scattered(self, kernel: int, size_in: int, size_out: int) -> NDArray[np.float64]:
        """Transposed convolution: an input position i writes output i * stride - before + tap * dilation."""
        written = np.arange(size_in)[:, None] * self.stride - self.before + np.arange(kernel) * self.dilation
        return np.asarray(((written >= 0) & (written < size_out)).sum(axis=0) / size_out)


def shift_biases(
    nodes: Mapping[str, ov.Node], layers: Mapping[str, WeightedLayer], shifts: Mapping[str, FloatArray]
) -> None:
    """Replaces the biases of a clone by shifted ones.

    Args:
        nodes: Operations of the clone.
        layers: Layer by operation.
        shifts: Shift [out] by operation.
    """
    for op, shift in shifts.items():
        layer = layers[op]
        if layer.bias_add is None or layer.bias_port is None:
            continue
        target = nodes[layer.bias_add].input(layer.bias_port)
        old = target.get_source_output()
        value = bias_of(nodes[layer.bias_add], layer.bias_port)
        name = f"{old.get_node().get_friendly_name()}/corrected"
        new = float_node(value + by_channel(shift, nodes[op], layer), old.get_element_type(), name)
        target.replace_source_output(new.output(0))


def by_channel(values: NDArray[Any], node: ov.Node, layer: WeightedLayer) -> NDArray[Any]:
    """Values per channel, [out], in a shape that broadcasts to the output of a layer."""
    behind = _axes_behind_channels(node, layer)
    return values.reshape(*[1] * max(layer.output_axis, 0), -1, *[1] * behind)


def channel_means(bias: FloatArray, node: ov.Node, layer: WeightedLayer, channels: int) -> FloatArray:
    """Mean of a bias by channel of a layer's output, [out]; a channel may have many numbers, or share one."""
    whole = bias + by_channel(np.zeros(channels, bias.dtype), node, layer)
    channel_axis = whole.ndim - 1 - _axes_behind_channels(node, layer)
    return np.asarray(whole.mean(axis=tuple(axis for axis in range(whole.ndim) if axis != channel_axis)))


def _axes_behind_channels(node: ov.Node, layer: WeightedLayer) -> int:
    if layer.output_axis < 0:
        return -layer.output_axis - 1
    return int(node.output(0).get_partial_shape().rank.get_length()) - layer.output_axis - 1


def bias_of(add: ov.Node, port: int) -> FloatArray:
    """The constant that an Add reads at a port, possibly behind a Convert, in its own shape."""
    node = add.input_value(port).get_node()
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return np.asarray(node.get_data(dtype=np.float32))
