"""The weights of a model: which they are, in what order, and why some stay in float."""

import numpy as np
import openvino as ov
import pytest
from graph_models import built, linear, named, rotary, tied_embedding, transposed_convolutions
from openvino import opset13 as ops

from autoq.core import PlanError
from autoq.graph import IgnoredScope, find_weights


def layers(count: int = 3) -> ov.Model:
    x = given = ops.parameter([-1, 8], np.float32, name="x")
    for number in range(count):
        x = linear(x, f"layer_{number}", 8, 8)
    return built([x], [given])


def test_the_last_product_does_not_define_the_ratio():
    weights = find_weights(layers()).every
    assert [(weight.name, weight.port, weight.defines_ratio) for weight in weights] == [
        ("layer_0", 1, True),
        ("layer_1", 1, True),
        ("layer_2", 1, False),
    ]
    assert all(weight.defines_ratio for weight in find_weights(layers(), all_layers=True).every)
    left_out = find_weights(layers(), IgnoredScope(names=["layer_2"])).every
    assert [weight.defines_ratio for weight in left_out] == [True, True, False]
    assert "ignored by name" in left_out[-1].reason


def test_a_shared_table_is_one_weight_of_its_first_reader():
    model = tied_embedding()
    (weight, *_) = [one for one in find_weights(model).every if len(one.readers) > 1]
    assert weight.is_embedding
    assert weight.type == "Gather"
    assert weight.axes == (1,)
    assert not weight.defines_ratio
    assert [reader.defines_ratio for reader in find_weights(model, all_layers=True).every if reader == weight] == []


def test_axes_of_convolutions():
    axes = {weight.type: weight.axes for weight in find_weights(transposed_convolutions()).every}
    assert axes["ConvolutionBackpropData"] == (0, 2, 3)
    assert axes["GroupConvolutionBackpropData"] == (1, 3, 4)


def test_angles_stay_in_float():
    reasons = {weight.name: weight.reason for weight in find_weights(rotary()).every}
    assert [reason for reason in reasons.values() if reason and "angles need all digits" in reason]


def test_what_cannot_be_compressed_says_why():
    x = ops.parameter([4], np.int64, name="x")
    numbers = named(ops.constant(np.arange(8, dtype=np.float32)), "numbers")
    model = built([ops.gather(numbers, x, ops.constant(0))], [x])
    (weight,) = find_weights(model).every
    assert weight.reason == "no two of its numbers may share a scale"
    assert find_weights(model).compressible == ()


def test_a_scope_must_match():
    with pytest.raises(PlanError, match="matches no operation"):
        find_weights(layers(), IgnoredScope(names=["layer_9"]))


@pytest.mark.parametrize("kind", ["u8", "u4", "nf4"])
def test_weights_of_few_bits_are_told(kind):
    x = ops.parameter([-1, 8], np.float32, name="x")
    stored = ops.convert(ops.constant(np.ones((8, 8), np.float32), dtype=getattr(ov.Type, kind)), "f32")
    model = built([ops.matmul(x, ops.multiply(stored, ops.constant(np.float32(2))), False, False)], [x])
    assert find_weights(model).compressed_already
    assert find_weights(model).every == ()
    assert not find_weights(layers()).compressed_already
