"""8-bit floating point: rounding and bits are OpenVINO's, scales the peer's."""

import numpy as np
import openvino as ov
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from networks import run
from openvino import opset13 as ops

from autoq.core import Fp8Scale, Precision, fp8_bytes, fp8_scale, lowest_exponent, round_to_fp8

FORMATS = [Precision.FP8_E4M3, Precision.FP8_E5M2]
TYPES = {Precision.FP8_E4M3: "f8e4m3", Precision.FP8_E5M2: "f8e5m2"}

# value, in E4M3, in E5M2
TABLE = [
    (0.0, 0.0, 0.0),
    (1.0, 1.0, 1.0),
    (1.0625, 1.0, 1.0),  # half way between 1 and 1.125: to the even mantissa
    (1.1875, 1.25, 1.25),  # half way between 1.125 and 1.25; nearer to 1.25 than to 1
    (-17.0, -16.0, -16.0),
    (449.0, 448.0, 448.0),
    (1e6, 448.0, 57344.0),
    (2.0**-9, 2.0**-9, 2.0**-9),
    (2.0**-10, 0.0, 2.0**-10),  # half of E4M3's smallest number
    (3 * 2.0**-11, 2.0**-9, 3 * 2.0**-11),
]


@pytest.mark.parametrize(("value", "e4m3", "e5m2"), TABLE)
def test_table(value, e4m3, e5m2):
    found = [float(round_to_fp8(np.float32([value]), precision)[0]) for precision in FORMATS]
    assert found == [e4m3, e5m2]


@pytest.mark.parametrize("precision", FORMATS)
def test_every_number_of_a_format_is_kept_and_has_its_own_bits(precision):
    tensor = ov.Tensor(getattr(ov.Type, TYPES[precision]), [256])
    tensor.data[...] = np.arange(256)
    values = run_convert(tensor)
    finite = np.isfinite(values) & (np.abs(values) <= precision.highest)
    assert finite.sum() >= 2 * 123
    np.testing.assert_array_equal(round_to_fp8(values[finite], precision), values[finite])
    np.testing.assert_array_equal(fp8_bytes(values[finite], precision), np.arange(256)[finite])


def run_convert(tensor):
    constant = ov.op.Constant(tensor)
    dummy = ops.parameter([1], np.float32)
    return run(ov.Model([ops.result(ops.convert(constant, "f32"))], [dummy]), np.zeros(1, np.float32))


@pytest.mark.parametrize("precision", FORMATS)
@given(x=arrays(np.float32, 16, elements=st.floats(-500, 500, width=32)), scale=st.sampled_from([0.5, 1.0, 8.0]))
def test_rounding_is_that_of_fake_convert(precision, x, scale):
    data = ops.parameter([16], np.float32)
    fake = ops.fake_convert(data, np.float32([scale]), np.float32([0]), destination_type=TYPES[precision])
    output = ov.Tensor(ov.Type.f32, [16])
    assert fake.evaluate([output], [ov.Tensor(np.atleast_1d(np.float32(value))) for value in (x, scale, 0)])
    expected = round_to_fp8(x * np.float32(scale), precision) / np.float32(scale)
    # OpenVINO rounds by way of half precision: what lies just beside the middle of two numbers may go the other way.
    smallest = 2.0 ** (lowest_exponent(precision) - precision.mantissa_bits)
    np.testing.assert_allclose(expected, output.data, rtol=2.0**-precision.mantissa_bits, atol=smallest / scale)
    half = (x * np.float32(scale)).astype(np.float16).astype(np.float32)
    normal = np.abs(half) >= 2.0 ** lowest_exponent(precision)  # below, OpenVINO cuts off instead of rounding
    np.testing.assert_array_equal((round_to_fp8(half, precision) / np.float32(scale))[normal], output.data[normal])


# minimum, maximum -> the magnitude that becomes the largest number
MAGNITUDES = [(-2.0, 1.0, 2.0), (-1.0, 2.0, 2.0), (0.0, 0.25, 0.25), (0.0, 0.0, np.finfo(np.float32).eps)]


@pytest.mark.parametrize("precision", FORMATS)
@pytest.mark.parametrize(("low", "high", "magnitude"), MAGNITUDES)
def test_scales_put_the_largest_magnitude_onto_the_largest_number_or_onto_half_of_it(precision, low, high, magnitude):
    by_channel = fp8_scale(np.float32([low]), np.float32([high]), precision, per_channel=True)
    whole = fp8_scale(np.float32([low]), np.float32([high]), precision, per_channel=False)
    np.testing.assert_allclose(by_channel.scale, [precision.highest / magnitude], rtol=1e-6)
    np.testing.assert_allclose(whole.scale, [0.5 * precision.highest / magnitude], rtol=1e-6)
    assert by_channel.precision == precision
    assert len({scale.identity for scale in (by_channel, whole, Fp8Scale(whole.scale, FORMATS[0]))}) == (
        2 if precision is FORMATS[0] else 3
    )


@pytest.mark.peers
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("precision", FORMATS)
def test_scales_are_the_peers(precision, per_channel):
    from nncf.common.tensor_statistics.statistics import MinMaxTensorStatistic
    from nncf.quantization.advanced_parameters import FP8Type
    from nncf.quantization.fake_quantize import calculate_convert_parameters
    from nncf.tensor import Tensor

    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 2, (2, 6 if per_channel else 1)).astype(np.float32)
    low, high = np.minimum(a, b), np.maximum(np.abs(a), np.abs(b))
    theirs = calculate_convert_parameters(
        MinMaxTensorStatistic(min_values=Tensor(low), max_values=Tensor(high)),
        per_channel,
        FP8Type(TYPES[precision]),
    )
    ours = fp8_scale(low, high, precision, per_channel=per_channel)
    np.testing.assert_allclose(ours.scale.squeeze(), theirs.scale.data, rtol=1e-6)
