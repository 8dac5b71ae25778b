"""The closed form is what OpenVINO computes when it runs the layer on an input that is constant per channel."""

import numpy as np
import openvino as ov
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import conv_net, images, rows, run
from openvino import opset13 as ops

import autoq
from autoq.calibration import as_inputs, collect
from autoq.core import BiasCorrection, OverflowFix, Plan, Precision, RangeEstimator, Recipe
from autoq.graph import Placements, Tensor, WeightedLayer, unique_names
from autoq.transform import CandidateBuilder
from autoq.transform.quantize._bias_correction import acceptable, bias_shift


def layer(kind, *, port=1):
    return WeightedLayer(
        op="op", type=kind, input=Tensor("x"), input_axis=1, output_axis=1, weight="w", weight_port=port
    )


def mean_of_constant_input(op, data, x):
    """Output channel means of the model around `op` on an input with the channel values `x`."""
    shape = list(data.output(0).shape)
    values = np.broadcast_to(x.reshape(1, -1, *[1] * (len(shape) - 2)), shape).astype(np.float32)
    y = run(ov.Model([ops.result(op)], [data]), np.ascontiguousarray(values))
    return y.mean(axis=(0, *range(2, y.ndim)))


GEOMETRY = st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(0, 2), st.integers(0, 2))


@settings(deadline=None, max_examples=25)
@given(
    kind=st.sampled_from(
        ["Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData"]
    ),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    geometry=GEOMETRY,
    seed=st.integers(0, 100),
)
def test_convolutions(kind, kernel, geometry, seed):
    stride, dilation, before, after = geometry
    rng = np.random.default_rng(seed)
    data = ops.parameter([1, 4, 9, 10], np.float32)
    settings_ = ([stride, stride], [before, before], [after, after], [dilation, dilation])
    shapes = {
        "Convolution": (6, 4, *kernel),
        "GroupConvolution": (2, 3, 2, *kernel),
        "ConvolutionBackpropData": (4, 6, *kernel),
        "GroupConvolutionBackpropData": (2, 2, 3, *kernel),
    }
    weight = rng.normal(0, 1, shapes[kind]).astype(np.float32)
    if kind == "Convolution":
        op = ops.convolution(data, weight, *settings_)
    elif kind == "GroupConvolution":
        op = ops.group_convolution(data, weight, *settings_)
    elif kind == "ConvolutionBackpropData":
        op = ops.convolution_backprop_data(data, weight, settings_[0], None, *settings_[1:])
    else:
        op = ops.group_convolution_backprop_data(data, weight, settings_[0], None, *settings_[1:])
    x = rng.normal(0, 1, 4).astype(np.float32)
    shift = bias_shift(op, layer(kind), weight, x)
    np.testing.assert_allclose(shift, mean_of_constant_input(op, data, x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("port", [0, 1])
@pytest.mark.parametrize("transposed", [False, True])
def test_matmul(port, transposed):
    rng = np.random.default_rng(0)
    weight = rng.normal(0, 1, (6, 4) if (port == 1) == transposed else (4, 6)).astype(np.float32)
    x = rng.normal(0, 1, 4).astype(np.float32)
    data = ops.parameter([1, 4] if port == 1 else [4, 1], np.float32)
    op = ops.matmul(data, weight, False, transposed) if port == 1 else ops.matmul(weight, data, transposed, False)
    y = run(ov.Model([ops.result(op)], [data]), x.reshape(data.output(0).shape)).reshape(-1)
    np.testing.assert_allclose(bias_shift(op, layer("MatMul", port=port), weight, x), y, rtol=1e-4)


def test_what_has_no_closed_form_is_left_alone():
    data = ops.parameter([1, 4, -1, 8], np.float32)
    weight = np.ones((2, 4, 3, 3), np.float32)
    padded = ops.convolution(data, weight, [1, 1], [1, 1], [1, 1], [1, 1])
    assert bias_shift(padded, layer("Convolution"), weight, np.ones(4, np.float32)) is None
    unpadded = ops.convolution(data, weight, [1, 1], [0, 0], [0, 0], [1, 1])
    assert bias_shift(unpadded, layer("Convolution"), weight, np.ones(4, np.float32)) is not None
    batch = ops.matmul(ops.parameter([2, 3, 4], np.float32), np.ones((2, 4, 5), np.float32), False, False)
    assert bias_shift(batch, layer("MatMul"), np.ones((2, 4, 5), np.float32), np.ones(4)) is None


@pytest.mark.parametrize(
    ("shift", "bias", "expected"),
    [
        ([0.1, 0.1], [1, 1], True),
        ([3, 0.1], [1, 1], False),
        ([0.1, 5], [1, 0], True),  # one zero bias does not keep the layer from being corrected
        ([1, 1], [0, 0], True),
    ],
)
def test_a_shift_out_of_proportion_is_not_applied(shift, bias, expected):
    assert acceptable(np.float32(shift), np.float32(bias)) is expected


BIASES = {
    "convolution, one number": ("convolution", ()),
    "convolution, one number of rank 1": ("convolution", (1,)),
    "convolution, as many as channels elsewhere": ("convolution", (1, 1, 1, 6)),
    "convolution, an image": ("convolution", (1, 1, 6, 6)),
    "convolution, everything": ("convolution", (1, 6, 6, 6)),
    "convolution, as usual": ("convolution", (1, 6, 1, 1)),
    "matrix on the left, one number": ("left", ()),
    "matrix on the left, as many as channels elsewhere": ("left", (1, 1, 6)),
    "product, one number": ("product", (1,)),
    "product, as many as channels elsewhere": ("product", (1, 6, 1)),
    "product, positions": ("product", (1, 6, 6)),
}


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("case", BIASES)
def test_a_bias_of_any_shape_is_corrected_at_its_channels(case, fast):
    """One number for all channels, one for each position: the mean of every channel is that of the float model."""
    kind, shape = BIASES[case]
    rng = np.random.default_rng(1)
    data = ops.parameter([1, 6, 6, 6] if kind == "convolution" else [1, 6, 6], np.float32)
    y = data
    for _ in range(2):
        weight = rng.normal(0, 0.3, (6, 6, 1, 1) if kind == "convolution" else (6, 6)).astype(np.float32)
        value = np.asarray(rng.normal(1, 0.3, shape), np.float32)
        if kind == "convolution":
            y = ops.convolution(y, weight, [1, 1], [0, 0], [0, 0], [1, 1])
        else:
            y = ops.matmul(y, weight, False, False) if kind == "product" else ops.matmul(weight, y, False, False)
        y = ops.add(y, value)
    model = ov.Model([ops.result(y)], [data])
    samples = [rng.normal(0.5, 0.1, data.output(0).shape).astype(np.float32) for _ in range(10)]
    four_bits = {"weights": {"bits": 4}, "fold_weights": False, "progress": False}
    corrected = autoq.quantize(model, samples, fast_bias_correction=fast, **four_bits)
    plain = autoq.quantize(model, samples, bias_correction=False, **four_bits)
    axes = tuple(axis for axis in range(y.output(0).get_partial_shape().rank.get_length()) if axis != _channels(kind))
    want, got, without = (
        np.mean([run(part, x).mean(axis=axes) for x in samples[:2]], axis=0) for part in (model, corrected, plain)
    )
    assert np.abs(got - want).max() < 0.5 * np.abs(without - want).max()


def _channels(kind):
    return 2 if kind == "product" else 1


def test_a_corrected_layer_has_the_mean_of_the_float_model():
    """Weights rounded to 6 bits shift a layer's output; the correction takes that back."""
    model = conv_net()
    # Constant over each channel, as the closed form takes its inputs to be.
    data = np.broadcast_to(images(64)[:, :, :1, :1], (64, 3, 8, 8))
    placements = Placements.of(model)
    builder = CandidateBuilder(model, placements, collect(model, placements, as_inputs(model, data)))
    others = {group.name: Precision.FLOAT for group in placements.reference.groups if group.name != "conv_1"}
    reference = layer_mean(model, data)
    gap = {}
    for correction in (BiasCorrection.NONE, BiasCorrection.FAST):
        recipe = Recipe(
            subset_size=64,
            range_estimator=RangeEstimator.MIN_MAX,  # clipping moves means too
            bias_correction=correction,
            overflow_fix=OverflowFix.ENABLE,
        )
        built = builder.build(Plan.quantized(recipe, others))
        gap[correction] = np.abs(layer_mean(built, data) - reference).mean()
    assert gap[BiasCorrection.FAST] < 0.3 * gap[BiasCorrection.NONE]


def layer_mean(model, data):
    """Channel means behind the first layer's bias, over all images."""
    clone = model.clone()
    biased = unique_names(clone)["conv_1_bias"]
    observed = ov.Model([ops.result(biased)], clone.get_parameters())
    return rows(observed, data).mean(axis=(0, 2, 3))
