"""The quantizer formulas amount to these tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from networks import run

from autoq.core import (
    QuantizerLimits,
    asymmetric_limits,
    fake_quantize,
    half_range_limits,
    quantization_level,
    symmetric_limits,
)

FINITE = st.floats(-1e4, 1e4, width=32)

# minimum, maximum, narrow, signed -> low, high, levels
SYMMETRIC = [
    (-1.0, 2.0, True, True, -2.0, 2.0, 255),
    (-2.0, 1.0, True, True, -2.0, 2.0, 255),
    (-1.0, 2.0, False, None, -2.0 * 128 / 127, 2.0, 256),
    (0.0, 2.0, False, None, 0.0, 2.0, 256),
    (0.0, 2.0, False, True, -2.0 * 128 / 127, 2.0, 256),
    (0.0, 0.0, False, None, 0.0, 8e-5, 256),
    (-1e-6, 1e-6, True, True, -8e-5, 8e-5, 255),
]

# minimum, maximum -> low, high: zero comes onto a level the wider of two ways, but from between the ends only
ASYMMETRIC = [
    (0.0, 2.55, 0.0, 2.55),
    (-2.55, 0.0, -2.55, 0.0),
    (-1.0, 1.0, -128 / 127, 1.0),
    (-0.5, 255.0, -0.5, 255.0),
    (1.0, 2.55, 0.0, 2.55),
    (-2.55, -1.0, -2.55, 0.0),
    (-1.28, 1.27, -1.28, 1.27),
    (0.5, 0.5, 0.0, 0.5008),  # a range below 0.0008 is widened by as much on each side
]


# bits, narrow -> low, high, levels, for data in [-1, 2]
WIDTHS = [
    (4, False, -2.0 * 8 / 7, 2.0, 16),
    (4, True, -2.0, 2.0, 15),
    (16, False, -2.0 * 32768 / 32767, 2.0, 65536),
    (2, False, -4.0, 2.0, 4),
]

# bits, narrow -> low, high, levels, for data in [-1, 2]: the largest value is at half of the highest level
HALF_RANGE = [
    (8, True, -4.0, 4.0, 255),
    (8, False, -2.0 * 64 / 63 * 255 / 127, 2.0 * 255 / 127, 256),
    (4, True, -4.0, 4.0, 15),
    (4, False, -2.0 * 4 / 3 * 15 / 7, 2.0 * 15 / 7, 16),
]


@pytest.mark.parametrize(("minimum", "maximum", "narrow", "signed", "low", "high", "levels"), SYMMETRIC)
def test_symmetric_table(minimum, maximum, narrow, signed, low, high, levels):
    limits = symmetric_limits(np.float32([minimum]), np.float32([maximum]), narrow_range=narrow, signed=signed)
    np.testing.assert_allclose([limits.low[0], limits.high[0]], [low, high], rtol=1e-6)
    assert limits.levels == levels


@pytest.mark.parametrize(("bits", "narrow", "low", "high", "levels"), WIDTHS)
def test_table_of_widths(bits, narrow, low, high, levels):
    limits = symmetric_limits(np.float32([-1]), np.float32([2]), bits=bits, narrow_range=narrow)
    np.testing.assert_allclose([limits.low[0], limits.high[0]], [low, high], rtol=1e-6)
    assert limits.levels == levels
    # Without a sign, there are as many levels above zero.
    unsigned = symmetric_limits(np.float32([0]), np.float32([2]), bits=bits, narrow_range=narrow)
    assert (unsigned.low[0], unsigned.high[0], unsigned.levels) == (0, 2, levels)
    aligned = asymmetric_limits(np.float32([-1]), np.float32([2]), bits=bits)
    zero = quantization_level(np.zeros(1, np.float32), aligned.low, aligned.high, aligned.levels)
    assert aligned.levels == 2**bits
    assert fake_quantize(np.zeros(1, np.float32), aligned.low, aligned.high, 2**bits) == pytest.approx(0, abs=1e-6)
    assert zero == round((2**bits - 1) / 3)


def test_all_levels_of_8_bits_are_usual():
    data = np.float32([-1]), np.float32([2])
    for limits in (symmetric_limits(*data), asymmetric_limits(*data)):
        assert limits.levels == 256
    assert symmetric_limits(*data).low == pytest.approx(-2 * 128 / 127)
    assert half_range_limits(*data).levels == 255


@pytest.mark.parametrize(("bits", "narrow", "low", "high", "levels"), HALF_RANGE)
def test_half_range_table(bits, narrow, low, high, levels):
    limits = half_range_limits(np.float32([-1]), np.float32([2]), bits=bits, narrow_range=narrow)
    np.testing.assert_allclose([limits.low[0], limits.high[0]], [low, high], rtol=1e-6)
    assert limits.levels == levels


def test_limits_have_one_identity_if_their_numbers_are_equal():
    low, high = np.float32([-1, -2]), np.float32([1, 2])
    same = QuantizerLimits(low.copy(), high.copy(), 255)
    others = [QuantizerLimits(high, high, 255), QuantizerLimits(low, low, 255), QuantizerLimits(low, high, 256)]
    assert same.identity == QuantizerLimits(low, high, 255).identity
    assert len({limits.identity for limits in (same, *others)}) == 4


def test_a_channel_far_below_the_others_gets_a_hundredth_of_the_largest():
    limits = symmetric_limits(np.float32([-1, 0]), np.float32([1, 1e-5]), narrow_range=True, signed=True)
    np.testing.assert_allclose(limits.high, [1, 0.01], rtol=1e-6)


@pytest.mark.parametrize(("minimum", "maximum", "low", "high"), ASYMMETRIC)
def test_asymmetric_table(minimum, maximum, low, high):
    limits = asymmetric_limits(np.float32([minimum]), np.float32([maximum]))
    np.testing.assert_allclose([limits.low[0], limits.high[0]], [low, high], rtol=1e-6)


@given(arrays(np.float32, 5, elements=FINITE), arrays(np.float32, 5, elements=FINITE))
def test_zero_is_a_level_and_the_range_is_covered(a, b):
    minimum, maximum = np.minimum(a, b), np.maximum(a, b)
    limits = asymmetric_limits(minimum, maximum)
    zero = -limits.low / (limits.high - limits.low) * 255
    inside = (np.round(zero) > 0) & (np.round(zero) < 255)
    np.testing.assert_allclose(zero[inside], np.round(zero)[inside], atol=2e-3)
    slack = 1e-5 * np.maximum(1, limits.high - limits.low)
    assert (limits.low <= np.minimum(minimum, 0) + slack).all()
    assert (limits.high >= np.maximum(maximum, 0) - slack).all()


@given(arrays(np.float32, 5, elements=FINITE), arrays(np.float32, 5, elements=FINITE))
def test_half_range_uses_half_of_the_levels(a, b):
    minimum, maximum = np.minimum(a, b), np.maximum(a, b)
    limits = half_range_limits(minimum, maximum)
    assert limits.levels == 255
    largest = np.maximum(np.abs(minimum), np.abs(maximum))
    used = largest / limits.high * 127
    assert (used <= 64).all()


@given(
    arrays(np.float32, 20, elements=st.floats(-4, 4, width=32)),
    st.sampled_from([(-1.0, 1.0, 255), (-1.28, 1.27, 256), (0.0, 2.55, 256)]),
)
def test_fake_quantize_is_idempotent_and_off_by_half_a_step_at_most(x, limits):
    low, high, levels = np.float32(limits[0]), np.float32(limits[1]), limits[2]
    y = fake_quantize(x, low, high, levels)
    np.testing.assert_allclose(fake_quantize(y, low, high, levels), y, atol=1e-6)
    step = (high - low) / (levels - 1)
    assert np.abs(y - np.clip(x, low, high)).max() <= step / 2 + 1e-6


def test_fake_quantize_is_openvinos():
    import openvino as ov
    from openvino import opset13 as ops

    x = np.random.default_rng(0).normal(0, 1, (2, 3, 8, 8)).astype(np.float32)
    low, high = np.float32([-1.5, -0.7, -2]).reshape(1, 3, 1, 1), np.float32([1.5, 0.9, 1]).reshape(1, 3, 1, 1)
    data = ops.parameter(list(x.shape), np.float32)
    model = ov.Model([ops.result(ops.fake_quantize(data, low, high, low, high, 256))], [data])
    np.testing.assert_allclose(fake_quantize(x, low, high, 256), run(model, x), atol=1e-5)


@pytest.mark.peers
@pytest.mark.parametrize("half_range", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("kind", ["weight", "activation"])
@pytest.mark.parametrize("seed", range(20))
def test_limits_are_the_peers(symmetric, kind, half_range, seed):
    from nncf.common.quantization.structs import QuantizationScheme, QuantizerConfig, QuantizerGroup
    from nncf.common.tensor_statistics.statistics import MinMaxTensorStatistic
    from nncf.quantization.fake_quantize import calculate_quantizer_parameters
    from nncf.tensor import Tensor

    if half_range and (kind == "activation" or not symmetric):
        pytest.skip("half range is for weights, and weights are symmetric")
    if kind == "weight" and not symmetric:
        pytest.skip("weights are symmetric")
    rng = np.random.default_rng(seed)
    a, b = rng.normal(rng.normal(), 2, (2, 6)).astype(np.float32)
    minimum, maximum = np.minimum(a, b), np.maximum(a, b)
    is_weight = kind == "weight"
    config = QuantizerConfig(
        mode=QuantizationScheme.SYMMETRIC if symmetric else QuantizationScheme.ASYMMETRIC,
        signedness_to_force=True if is_weight else None,
        per_channel=True,
        narrow_range=is_weight,
    )
    group = QuantizerGroup.WEIGHTS if is_weight else QuantizerGroup.ACTIVATIONS
    # Their symmetric form takes the largest magnitude as the maximum.
    largest = np.maximum(np.abs(minimum), np.abs(maximum)) if symmetric else maximum
    theirs = calculate_quantizer_parameters(
        MinMaxTensorStatistic(min_values=Tensor(minimum), max_values=Tensor(largest)), config, group, half_range
    )
    if half_range:
        ours = half_range_limits(minimum, maximum)
    elif symmetric:
        ours = symmetric_limits(minimum, maximum, narrow_range=is_weight, signed=True if is_weight else None)
    else:
        ours = asymmetric_limits(minimum, maximum)
    np.testing.assert_allclose(ours.low, theirs.input_low.data, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ours.high, theirs.input_high.data, rtol=1e-5, atol=1e-7)
    assert ours.levels == theirs.levels
