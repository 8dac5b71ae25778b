"""Aligned models compute the same, with even channels; weights and biases are the peer's."""

import numpy as np
import openvino as ov
import pytest
from graph_models import bias, built, conv, image, named
from networks import rows, snapshot
from openvino import opset13 as ops

import autoq
from autoq.calibration import Needs, as_inputs, collect
from autoq.graph import analyze
from autoq.transform import align_channels

NEEDS = Needs(estimators=frozenset(), means=False, smoothing=False, alignment=True)
DATA = np.random.default_rng(0).normal(0.5, 1, (6, 4, 8, 8)).astype(np.float32)


UNEVEN = np.float32([0.05, 1, 3, 20])


def uneven(x: ov.Node, name: str) -> ov.Node:
    """A convolution whose output channels differ in their range."""
    weight = np.random.default_rng(1).normal(0, 0.3, (4, 4, 3, 3)).astype(np.float32)
    weight *= UNEVEN.reshape(4, 1, 1, 1)
    return named(ops.convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1]), name)


def uneven_depthwise(x: ov.Node, name: str) -> ov.Node:
    weight = np.random.default_rng(1).normal(0, 0.3, (4, 1, 1, 3, 3)).astype(np.float32)
    weight *= UNEVEN.reshape(4, 1, 1, 1, 1)
    return named(ops.group_convolution(x, weight, [1, 1], [1, 1], [1, 1], [1, 1]), name)


def chain(*, biased: bool = True, first=uneven, kernel: int = 1) -> ov.Model:
    """A convolution with uneven channels, one without padding, and a last one behind a ReLU."""
    x = image()
    y = first(x, "first")
    y = bias(y, "first_bias") if biased else y
    weight = np.random.default_rng(3).normal(0, 0.3, (4, 4, kernel, kernel)).astype(np.float32)
    y = named(ops.convolution(y, weight, [1, 1], [0, 0], [0, 0], [1, 1]), "second")
    y = bias(y, "second_bias") if biased else y
    return built([conv(named(ops.relu(y), "relu"), "third")], [x])


def aligned(model):
    graph = analyze(model)
    return graph, align_channels(model, graph, collect(model, [graph], as_inputs(model, DATA), needs=NEEDS), len(DATA))


CASES = {
    "bias": {},
    "no bias": {"biased": False},
    "depthwise first": {"first": uneven_depthwise},
    "kernel of nine": {"kernel": 3},
}


@pytest.mark.parametrize("shape", [(), (1,), (4, 1, 1), (1, 1, 1, 4), (1, 1, 4, 4), (1, 4, 4, 4)])
def test_biases_of_any_shape_are_aligned(shape):
    """One number for all channels, one for each position, as many as channels along another axis."""
    x = named(ops.parameter([1, 4, 4, 4], np.float32, "image"), "image")
    value = np.asarray(np.random.default_rng(2).normal(0, 1, shape), np.float32)
    y = ops.add(uneven(x, "first"), value)
    weight = np.random.default_rng(3).normal(0, 0.3, (4, 4, 1, 1)).astype(np.float32)
    y = named(ops.convolution(y, weight, [1, 1], [0, 0], [0, 0], [1, 1]), "second")
    model = built([ops.add(y, value)], [x])
    graph = analyze(model)
    assert graph.alignable
    data = DATA[:, :, :4, :4]
    changed = align_channels(model, graph, collect(model, [graph], as_inputs(model, data), needs=NEEDS), len(data))
    np.testing.assert_allclose(rows(changed, data), rows(model, data), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_the_function_is_the_same_and_the_channels_are_even(case):
    model = chain(**CASES[case])
    before = snapshot(model)
    graph, changed = aligned(model)
    assert [(a.op, b.op) for a, b in graph.alignable] == [("first", "second")]
    assert snapshot(model) == before
    np.testing.assert_allclose(rows(changed, DATA), rows(model, DATA), rtol=1e-4, atol=1e-4)
    low, high = ranges(model)
    assert np.ptp(np.log(high - low)) > 2
    low, high = ranges(changed)
    np.testing.assert_allclose(high - low, np.median(high - low), rtol=1e-3)
    np.testing.assert_allclose((low + high) / 2, 0, atol=1e-3 * np.max(high - low))


def ranges(model):
    """Median over the samples of the outlier quantiles of each channel that the second convolution reads."""
    clone = model.clone()
    second = next(op for op in clone.get_ops() if op.get_friendly_name() == "second")
    observed = ov.Model([ops.result(second.input_value(0))], clone.get_parameters())
    values = rows(observed, DATA).reshape(len(DATA), 4, -1)
    return np.median(np.quantile(values, [1e-4, 1 - 1e-4], axis=2), axis=1)


def relu_between():
    x = image()
    return built([conv(named(ops.relu(conv(x, "first")), "relu"), "second", kernel=1)], [x])


def read_twice():
    x = image()
    y = conv(x, "first")
    return built([named(ops.add(conv(y, "second", kernel=1), ops.sigmoid(y)), "sum")], [x])


def padded():
    x = image()
    return built([conv(conv(x, "first"), "second", kernel=3)], [x])


def strided():
    x = image()
    weight = np.ones((4, 4, 1, 1), np.float32)
    return built([named(ops.convolution(conv(x, "first"), weight, [2, 2], [0, 0], [0, 0], [1, 1]), "second")], [x])


@pytest.mark.parametrize("build", [relu_between, read_twice, padded, strided])
def test_what_cannot_be_aligned_is_left_alone(build):
    model = build()
    graph, changed = aligned(model)
    assert graph.alignable == ()
    assert snapshot(changed) == snapshot(model)


def test_quantize_aligns_first():
    model = chain()
    plain, even = (autoq.quantize(model, DATA, channel_alignment=on, range_estimator="min_max") for on in (False, True))
    errors = [np.mean((rows(m, DATA) - rows(model, DATA)) ** 2) for m in (plain, even)]
    assert errors[1] < errors[0]
    same = autoq.quantize(relu_between(), DATA, channel_alignment=True)
    assert snapshot(same) == snapshot(autoq.quantize(relu_between(), DATA))


@pytest.mark.peers
@pytest.mark.parametrize("case", ["bias", "kernel of nine"])
def test_weights_and_biases_are_the_peers(case):
    """Its formulas, on our ranges: NNCF 3.4.0 as a whole fails wherever it finds a pair to align."""
    from nncf.quantization.algorithms.channel_alignment.algorithm import ChannelAlignment
    from nncf.quantization.algorithms.channel_alignment.backend import LayoutDescriptor

    model = chain(**CASES[case])
    _, ours = aligned(model)
    dims = LayoutDescriptor(0, 1, 1)
    first, first_bias, second, second_bias = constants(model)
    low, high = ranges(model).reshape(2, 1, 4, 1, 1).astype(np.float32)
    first_bias, second_bias = ChannelAlignment._align_means(first_bias, second_bias, second, (low + high) / 2, dims)
    first, second, first_bias = ChannelAlignment._align_scales(
        first, second, first_bias, high - low, dims, dims, np.finfo(np.float32).eps
    )
    for mine, theirs in zip(constants(ours), (first, first_bias, second, second_bias), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def constants(model):
    nodes = {node.get_friendly_name(): node for node in model.get_ops()}
    names = ("first", "first_bias", "second", "second_bias")
    return [np.array(nodes[name].input_value(1).get_node().data) for name in names]
