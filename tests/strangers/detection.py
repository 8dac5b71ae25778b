"""Detectors and other networks whose ends are not layers: grids, boxes, suppression, sorting, sampling."""

from __future__ import annotations

import numpy as np
from onnx_net import OnnxNet
from registry import onnx_stranger

IMAGE = (1, 3, 32, 32)
CELLS = 64


def backbone(net: OnnxNet, channels: int = 12, shape: tuple = IMAGE) -> str:
    """Features [1, channels, 8, 8]."""
    x = net("Relu", net.conv(net.input("images", shape), 3, 8, strides=[2, 2]))
    return net("Relu", net.conv(x, 8, channels, strides=[2, 2]))


def flat(net: OnnxNet, x: str, rows: int) -> str:
    return net("Reshape", x, net.constant([1, rows, CELLS]))


@onnx_stranger(opset=12)
def anchors_on_a_grid(net: OnnxNet) -> None:
    """YOLOv5: anchors as channels, sigmoid, centres and sizes by slices, all concatenated."""
    x = net.conv(backbone(net), 12, 14, 1)
    x = net("Transpose", net("Reshape", x, net.constant([1, 2, 7, 8, 8])), perm=[0, 1, 3, 4, 2])
    x = net("Sigmoid", x)
    grid = net.number(np.stack(np.meshgrid(np.arange(8), np.arange(8)), -1)[None, None])
    sides = net.number(np.array([[10, 13], [16, 30]]).reshape(1, 2, 1, 1, 2))
    centre = net(
        "Mul",
        net("Add", net("Sub", net("Mul", net.slice(x, 0, 2, 4), net.number(2)), net.number(0.5)), grid),
        net.number(4),
    )
    side = net("Mul", net("Pow", net("Mul", net.slice(x, 2, 4, 4), net.number(2)), net.number(2)), sides)
    net.output(net("Reshape", net("Concat", centre, side, net.slice(x, 4, 7, 4), axis=4), net.constant([1, -1, 7])))


@onnx_stranger(opset=17)
def distances_as_distributions(net: OnnxNet) -> None:
    """YOLOv8: softmax over bins, a convolution that is not trained takes the mean, boxes by arithmetic."""
    x = net("Mul", features := backbone(net), net("Sigmoid", features))
    bins = net("Reshape", net.conv(x, 12, 16, 1), net.constant([1, 4, 4, CELLS]))
    bins = net("Softmax", net("Transpose", bins, perm=[0, 2, 1, 3]), axis=1)
    sides = net("Conv", bins, net.number(np.arange(4).reshape(1, 4, 1, 1)), kernel_shape=[1, 1])
    low, high = net.split(net("Reshape", sides, net.constant([1, 4, CELLS])), [2, 2], 1)
    grid = net.number(np.stack(np.meshgrid(np.arange(8) + 0.5, np.arange(8) + 0.5)).reshape(1, 2, CELLS))
    first, last = net("Sub", grid, low), net("Add", grid, high)
    centre = net("Div", net("Add", first, last), net.number(2))
    boxes = net("Mul", net("Concat", centre, net("Sub", last, first), axis=1), net.number(4))
    scores = net("Sigmoid", flat(net, net.conv(x, 12, 3, 1), 3))
    net.output(net("Concat", boxes, scores, axis=1))


@onnx_stranger(opset=11)
def boxes_suppressed(net: OnnxNet) -> None:
    """As many boxes come out as are found."""
    x = backbone(net)
    boxes = net(
        "Transpose", net("Mul", net("Sigmoid", flat(net, net.conv(x, 12, 4, 1), 4)), net.number(32)), perm=[0, 2, 1]
    )
    scores = net("Sigmoid", flat(net, net.conv(x, 12, 3, 1), 3))
    kept = net("NonMaxSuppression", boxes, scores, net.constant(20), net.number(0.5), net.number(0.6))
    rows = net("Squeeze", net.slice(kept, 2, 3, 1), axes=[1])
    net.output(net("Gather", net("Squeeze", boxes, axes=[0]), rows, axis=0), scores)
    net.output(kept, kind=np.int64)


@onnx_stranger(opset=13)
def best_cells_sorted(net: OnnxNet) -> None:
    """CenterNet: peaks by max pooling, TopK, gathered boxes."""
    x = backbone(net)
    heat = net("Sigmoid", net.conv(x, 12, 2, 1))
    peaks = net("MaxPool", heat, kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1])
    heat = net("Mul", heat, net("Cast", net("Equal", heat, peaks), to=1))
    scores, places = net("TopK", net("Reshape", heat, net.constant([1, -1])), net.constant([8]), outs=2, axis=1)
    cells = net("Mod", places, net.constant(CELLS))
    boxes = net("Transpose", flat(net, net.conv(x, 12, 4, 1), 4), perm=[0, 2, 1])
    index = net("Expand", net.with_axes("Unsqueeze", cells, [2]), net.constant([1, 8, 4]))
    net.output(net("GatherElements", boxes, index, axis=1), scores, net.conv(x, 12, 2, 1))


@onnx_stranger(opset=10)
def priors_decoded(net: OnnxNet) -> None:
    """SSD: two maps, permuted and concatenated; priors are constants."""
    fine = backbone(net)
    coarse = net("Relu", net.conv(fine, 12, 12, strides=[2, 2]))
    parts: dict[int, list[str]] = {4: [], 3: []}
    for x in (fine, coarse):
        for width, kept in parts.items():
            y = net("Transpose", net.conv(x, 12, 2 * width), perm=[0, 2, 3, 1])
            kept.append(net("Reshape", y, net.constant([1, -1, width])))
    places, scores = (net("Concat", *kept, axis=1) for kept in parts.values())
    priors = net.number(net.rng.uniform(0.1, 0.9, (1, 160, 2)))
    centre = net("Add", net("Mul", net.number(0.1), net.slice(places, 0, 2, 2)), priors)
    side = net("Mul", net("Exp", net("Mul", net.number(0.2), net.slice(places, 2, 4, 2))), priors)
    net.output(net("Concat", centre, side, axis=2), net("Softmax", scores, axis=2))


@onnx_stranger(opset=16)
def regions_pooled(net: OnnxNet) -> None:
    rois = net.input("rois", (3, 4), lambda rng, shape: np.sort(rng.uniform(0, 31, shape), axis=1)[:, [0, 1, 2, 3]])
    x = net(
        "RoiAlign", backbone(net), rois, net.constant([0, 0, 0]), output_height=3, output_width=3, spatial_scale=0.25
    )
    x = net("Relu", net("Gemm", net("Flatten", x), net.weight(16, 108), net.weight(16), transB=1))
    net.output(net("Gemm", x, net.weight(5, 16), net.weight(5), transB=1))


@onnx_stranger(opset=16)
def sampled_on_a_grid(net: OnnxNet) -> None:
    """A spatial transformer: the grid is computed by layers."""
    x = backbone(net)
    angles = net("Reshape", net("Tanh", net.head(x, 12, 6)), net.constant([1, 2, 3]))
    base = np.stack([*np.meshgrid(np.linspace(-1, 1, 8), np.linspace(-1, 1, 8)), np.ones((8, 8))], 0).reshape(1, 3, 64)
    grid = net("Transpose", net("MatMul", angles, net.number(base)), perm=[0, 2, 1])
    x = net("GridSample", x, net("Reshape", grid, net.constant([1, 8, 8, 2])), align_corners=1)
    net.output(net.conv(x, 12, 4))


@onnx_stranger(opset=13)
def parts_written_back(net: OnnxNet) -> None:
    """Assignments to slices come out as ScatterND."""
    x = flat(net, net.conv(backbone(net), 12, 6, 1), 6)
    rows = np.stack(np.meshgrid([0], [0, 1], np.arange(CELLS), indexing="ij"), -1)
    centre = net("Add", net.slice(x, 0, 2, 1), net.number(net.rng.uniform(0, 8, (1, 2, CELLS))))
    x = net("ScatterND", x, net.constant(rows), centre)
    net.output(net("Mul", x, net.number(4)))


@onnx_stranger(opset=13)
def class_by_largest(net: OnnxNet) -> None:
    """A segmentation that gives classes, and one of its maps in float."""
    x = net.conv(backbone(net), 12, 5)
    net.output(net("ArgMax", x, axis=1, keepdims=0), kind=np.int64)
    net.output(net("Softmax", x, axis=1))


@onnx_stranger(opset=13)
def rows_picked_by_a_condition(net: OnnxNet) -> None:
    """NonZero: another number of rows from sample to sample."""
    x = net("Transpose", flat(net, net.conv(backbone(net), 12, 5, 1), 5), perm=[0, 2, 1])
    rows = net.with_axes("Squeeze", x, [0])
    best = net.with_axes("ReduceMax", rows, [1], keepdims=0)
    picked = net.with_axes("Squeeze", net("NonZero", net("Greater", best, net.number(0.3))), [0])
    net.output(net("Gather", rows, picked, axis=0), net("Sigmoid", rows))


@onnx_stranger(opset=13)
def heatmaps_to_coordinates(net: OnnxNet) -> None:
    """Soft argmax."""
    maps = net("Softmax", net("Reshape", net.conv(backbone(net), 12, 4), net.constant([1, 4, -1])), axis=-1)
    places = net.number(np.stack(np.meshgrid(np.arange(8), np.arange(8)), -1).reshape(CELLS, 2))
    net.output(net("MatMul", maps, places), net.with_axes("ReduceMax", maps, [2], keepdims=0))


@onnx_stranger(opset=13)
def embedding_of_unit_length(net: OnnxNet) -> None:
    x = net.head(backbone(net), 12, 16)
    length = net("Sqrt", net.with_axes("ReduceSum", net("Mul", x, x), [1]))
    net.output(net("Div", x, length))


@onnx_stranger(opset=17)
def sound_by_its_spectrum(net: OnnxNet) -> None:
    """A Fourier transform as a convolution, its power, logarithm of a filter bank."""
    steps = np.arange(32)
    waves = np.stack([turn(2 * np.pi * k * steps / 32) for turn in (np.cos, np.sin) for k in range(8)])
    x = net("Conv", net.input("sound", (("batch", 1), 1, 320)), net.number(waves[:, None]), strides=[16])
    real, imaginary = net.split(x, [8, 8], 1)
    power = net("Add", net("Mul", real, real), net("Mul", imaginary, imaginary))
    mel = net("MatMul", net.number(np.abs(net.rng.normal(0, 0.3, (6, 8)))), power)
    x = net("Log", net("Add", mel, net.number(1)))
    x = net("Conv", x, net.weight(8, 6, 3), net.weight(8), pads=[1, 1])
    net.output(net.with_axes("ReduceMean", net("Relu", x), [2], keepdims=0))
