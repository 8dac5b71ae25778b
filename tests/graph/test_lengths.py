"""Which recurrent layers read lengths that are in the data."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

import autoq
from autoq.graph import has_given_lengths

HIDDEN, WIDTH = 6, 4


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(0, 0.4, shape).astype(np.float32)


def recurrent(lengths: str) -> ov.Model:
    """A GRU over [1, time, 4] whose lengths are an input, a number, or the length of the tensor."""
    x = ops.parameter([1, -1, WIDTH], np.float32, name="x")
    x.output(0).set_names({"x"})
    inputs = [x]
    if lengths == "given":
        told = ops.parameter([1], np.int64, name="lengths")
        told.output(0).set_names({"lengths"})
        inputs.append(told)
        length = ops.minimum(told, np.int64(99)).output(0)
    elif lengths == "constant":
        length = ops.constant(np.array([3])).output(0)
    else:
        length = ops.gather(ops.shape_of(x, "i64"), np.array([1]), np.int64(0)).output(0)
    gru = ops.gru_sequence(
        x,
        ops.constant(np.zeros((1, 1, HIDDEN), np.float32)),
        length,
        ops.constant(weights(1, 3 * HIDDEN, WIDTH)),
        ops.constant(weights(1, 3 * HIDDEN, HIDDEN)),
        ops.constant(weights(1, 3 * HIDDEN)),
        HIDDEN,
        "forward",
    )
    y = ops.matmul(gru.output(0), ops.constant(weights(HIDDEN, 5)), False, False)
    return ov.Model([ops.result(y)], inputs)


@pytest.mark.parametrize(("lengths", "given"), [("given", True), ("constant", False), ("of the tensor", False)])
def test_lengths_are_given_where_they_are_read_of_the_data(lengths, given):
    assert has_given_lengths(recurrent(lengths)) is given


def test_a_model_without_recurrent_layers_has_none():
    x = ops.parameter([-1, 4], np.float32)
    assert not has_given_lengths(ov.Model([ops.result(ops.relu(x))], [x]))


def test_the_error_is_small_where_lengths_are_given():
    """Ranges are those of the model as it is run: what lies past a length is not the same where shapes are given."""
    model = recurrent("given")
    data = [{"x": 2 * weights(1, 9, WIDTH) - 0.1 * n, "lengths": np.array([2 + n])} for n in range(4)]
    pair = [
        ov.compile_model(m, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}) for m in (model, autoq.quantize(model, data))
    ]
    want, got = (np.stack([np.array(compiled(sample)[0]) for sample in data]) for compiled in pair)
    assert 0 < ((got - want) ** 2).mean() < 1e-3 * want.var()
