"""A detector pools boxes from several levels of features; a level that has no box on a sample says nothing there."""

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

import autoq

CHANNELS = 16


def pooled_by_size() -> ov.Model:
    """Rows whose first number is above zero are read by one layer, the others by another one."""
    rng = np.random.default_rng(0)
    x = ops.parameter([6, CHANNELS], np.float32, "x")
    x.output(0).tensor.set_names({"x"})
    first = ops.squeeze(ops.slice(x, [0], [1], [1], [1]), [1])
    outputs = []
    for name, chosen in (("large", ops.greater(first, np.float32(0))), ("small", ops.less_equal(first, np.float32(0)))):
        rows = ops.squeeze(ops.non_zero(chosen), [0])
        read = ops.tanh(ops.gather(x, rows, np.array(0)))
        layer = ops.matmul(read, ops.constant(rng.normal(size=(CHANNELS, 8)).astype(np.float32)), False, False)
        layer.set_friendly_name(name)
        outputs.append(ops.relu(layer))
    return ov.Model([ops.result(out) for out in outputs], [x], "pooled")


def samples(count: int, large: list[bool]) -> list[np.ndarray]:
    rows = np.random.default_rng(1).normal(size=(count, 6, CHANNELS)).astype(np.float32)
    rows[:, :, 0] = (1 + np.abs(rows[:, :, 0])) * np.where(large, 1, -1)[:, None]
    return list(rows)


def outputs(model: ov.Model, rows: np.ndarray) -> list[np.ndarray]:
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return [np.array(value) for value in compiled(rows).values()]


def error(model: ov.Model, quantized: ov.Model, rows: np.ndarray) -> float:
    pairs = list(zip(outputs(model, rows), outputs(quantized, rows), strict=True))
    return float(sum(np.square(b - a).sum() for a, b in pairs) / sum(np.square(a).sum() for a, _ in pairs))


@pytest.mark.parametrize("preset", ["performance", "mixed"])
def test_samples_on_which_a_tensor_is_empty_do_not_count_in_its_range(preset):
    model, data = pooled_by_size(), samples(12, [True, True, False] * 4)
    quantized = autoq.quantize(model, data, preset=preset, progress=False)
    assert max(error(model, quantized, rows) for rows in data) < 0.01


def test_a_tensor_that_is_always_empty_stays_in_float():
    model, data = pooled_by_size(), samples(8, [True] * 8)
    with pytest.warns(UserWarning, match="gives no numbers on any calibration sample: it stays in float"):
        quantized = autoq.quantize(model, data, progress=False)
    assert sum(op.get_type_name() == "FakeQuantize" for op in quantized.get_ops())
    assert error(model, quantized, data[0]) < 0.01
    assert error(model, quantized, samples(1, [False])[0]) < 0.01


def test_statistics_remember_what_was_empty(tmp_path):
    model, data = pooled_by_size(), samples(8, [True] * 8)
    with pytest.warns(UserWarning, match="stays in float"):
        quantized = autoq.quantize(model, data, cache=tmp_path, progress=False)
    again = autoq.quantize(model, data, cache=tmp_path, progress=False)
    kinds = [[op.get_type_name() for op in each.get_ordered_ops()] for each in (quantized, again)]
    assert kinds[0] == kinds[1]
