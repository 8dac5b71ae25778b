"""Weights to stored numbers and back."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from autoq.core import WeightFormat, WeightMode
from autoq.transform.compress import Layout, _encoded, decode, encode
from autoq.transform.compress._stored import constant_of, stored

MODES = [mode for mode in WeightMode if not mode.endswith("codebook")]
# Largest error beside the largest number of a group: the table of each format. A number on the side of a symmetric
# range that is not exact may be cut by a step.
ERRORS = {
    "int8_asym": 1 / 255,
    "int8_sym": 1 / 128,
    "int4_asym": 1 / 15,
    "int4_sym": 1 / 8,
    "int3_sym": 1 / 4,
    "int2_sym": 1 / 2,
    "nf4": 0.153,
    "fp4": 1 / 6,
    "mxfp4": 2 / 6,
    "mxfp8_e4m3": 32 / 448,
    "fp8_e4m3": 16 / 448,
    "nvfp4": 1.3 / 6,
    "cb4": 0.5 / 3.5,
}


def default(mode: WeightMode, group_size: int) -> WeightFormat:
    form = WeightFormat.default(mode)
    return form if form.has_fixed_groups or form.is_eight_bit_integer else WeightFormat(mode, group_size)


@pytest.mark.parametrize("mode", MODES)
def test_numbers_come_back_within_the_step_of_their_format(mode):
    weight = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    encoded = encode(weight, default(mode, 32), [1])
    grouped = weight.reshape(encoded.numbers.shape)
    lost = np.abs(decode(encoded).reshape(grouped.shape) - grouped) / np.abs(grouped).max(axis=-1, keepdims=True)
    assert ERRORS[mode] / 2 < lost.max() < ERRORS[mode] * 1.05


def test_the_formulas_of_integers_on_numbers_that_can_be_checked_by_hand():
    weight = np.array([[-8, -4, 0, 4], [1, 2, 3, 16], [0, 0, 0, 0]], np.float32)
    symmetric = encode(weight, WeightFormat(WeightMode.INT4_SYM), [1])
    assert symmetric.scale.ravel().tolist() == [1, -2, 2**-23]
    assert symmetric.numbers.tolist() == [[-8, -4, 0, 4], [0, -1, -2, -8], [0, 0, 0, 0]]
    asymmetric = encode(weight[:2] / 4, WeightFormat(WeightMode.INT4_ASYM), [1])
    assert asymmetric.zero_point.ravel().tolist() == [10, 0]
    assert asymmetric.numbers.tolist() == [[0, 5, 10, 15], [1, 2, 3, 15]]


@pytest.mark.parametrize("mode", MODES)
def test_the_place_of_the_reduced_axis_does_not_matter(mode):
    weight = np.random.default_rng(0).normal(size=(3, 5, 64)).astype(np.float16)
    form = default(mode, 16)
    last, first = encode(weight, form, [2]), encode(np.moveaxis(weight, 2, 0), form, [0])
    assert first.axes == ((1,) if form.is_grouped else (0,))
    np.testing.assert_array_equal(decode(first), np.moveaxis(decode(last), 2, 0))


def test_blocks_do_not_matter(monkeypatch):
    weight = np.random.default_rng(0).normal(size=(4, 6, 32)).astype(np.float32)
    whole = encode(weight, WeightFormat(WeightMode.INT4_ASYM, 8), [2])
    for block in (1, 40, 100, 200):
        monkeypatch.setattr(_encoded, "_BLOCK", block)
        monkeypatch.setattr(_encoded, "_LARGE", 1)  # threads share the blocks out
        parts = encode(weight, WeightFormat(WeightMode.INT4_ASYM, 8), [2])
        for name in ("numbers", "scale", "zero_point"):
            np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name))


@pytest.mark.parametrize("mode", ["int8_asym", "int4_asym", "int4_sym", "nf4", "cb4"])
def test_given_scales_are_used(mode):
    weight = np.random.default_rng(1).normal(size=(8, 32)).astype(np.float32)
    form = default(WeightMode(mode), 16)
    free = encode(weight, form, [1])
    again = encode(weight, form, [1], scale=free.scale, zero_point=free.zero_point)
    np.testing.assert_array_equal(again.numbers, free.numbers)
    wider = encode(weight, form, [1], scale=free.scale * 2, zero_point=free.zero_point)
    np.testing.assert_array_equal(wider.scale, free.scale * 2)
    assert len(np.unique(wider.numbers)) < len(np.unique(free.numbers))


def test_scales_that_a_format_does_not_take_are_refused():
    weight, scale = np.ones((4, 32), np.float32), np.ones((4, 1), np.float32)
    with pytest.raises(ValueError, match="zero points beside its scales"):
        encode(weight, WeightFormat(WeightMode.INT8_ASYM), [1], scale=scale)
    with pytest.raises(ValueError, match="no zero points"):
        encode(weight, WeightFormat(WeightMode.INT8_SYM), [1], scale=scale, zero_point=np.ones((4, 1), np.uint8))
    with pytest.raises(ValueError, match=r"needs \[4, 2, 1\]"):
        encode(weight, WeightFormat(WeightMode.INT4_SYM, 16), [1], scale=scale)
    with pytest.raises(ValueError, match="takes no scales"):
        encode(weight, WeightFormat(WeightMode.NVFP4, 16), [1], scale=np.ones((4, 2, 1), np.float32))
    with pytest.raises(ValueError, match="groups of 20 do not fit"):
        Layout.of((4, 32), [1], 20)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 3e38])
def test_numbers_that_cannot_be_stored_are_refused(mode, wrong):
    weight = np.ones((4, 32), np.float32)
    weight[1, 5] = wrong
    if wrong == 3e38 and mode in {"mxfp4", "mxfp8_e4m3", "nvfp4"}:
        return  # these have scales that large
    with pytest.raises(ValueError, match="not finite"):
        encode(weight, default(mode, 16), [1])


def test_every_number_of_half_precision_is_read_exactly():
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    for numbers in (finite, finite[::-3], finite[:30].reshape(5, 6).T):
        found = _encoded.in_single(numbers)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found.view(np.uint32), numbers.astype(np.float32, order="C").view(np.uint32))
    np.testing.assert_array_equal(_encoded.in_single(every), every.astype(np.float32))


def test_the_scale_of_mx_is_the_power_of_two_where_it_is_one():
    """Also in large weights, where NNCF takes a rounded logarithm."""
    for exponent in range(-20, 8):
        weight = np.full((100, 128), 6 * 2.0**exponent, np.float32)
        assert np.unique(encode(weight, WeightFormat(WeightMode.MXFP4, 32), [1]).scale).tolist() == [2.0**exponent]


@pytest.mark.parametrize("mode", ["int4_asym", "int2_sym", "int3_sym", "int8_sym", "codebook"])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_numbers_are_stored_as_openvino_reads_them(mode, count):
    codebook = tuple(map(float, range(300))) if mode == "codebook" else ()
    encoded = encode(np.random.default_rng(2).normal(size=(1, count)), WeightFormat(mode, codebook=codebook), [1])
    form, numbers = encoded.format, encoded.numbers
    unsigned = (numbers - form.levels[0]).astype(np.uint8) if form.storage in {"u2", "u3"} else numbers
    node = constant_of(stored(unsigned, form.storage), "w")
    read = ov.Core().compile_model(ov.Model([ops.convert(node, "f32")], []), "CPU")([])[0]
    np.testing.assert_array_equal(read, unsigned)
