"""Precisions as data: the numbers are those that OpenVINO has in their storage types."""

import pickle

import numpy as np
import openvino as ov
import pytest
from networks import run
from openvino import opset13 as ops

from autoq.core import PRECISIONS, NumberKind, PlanError, Precision

# name, kind, bits, explicit mantissa, lowest, highest, storage, weights alone
TABLE = [
    ("float", NumberKind.FLOAT, 32, 23, float(np.finfo(np.float32).min), float(np.finfo(np.float32).max), "f32", False),
    ("int8", NumberKind.INT, 8, 0, -128, 127, "i8", False),
    ("int8_weights", NumberKind.INT, 8, 0, -128, 127, "i8", True),
    ("fp8_e4m3", NumberKind.FP8, 8, 3, -448, 448, "f8e4m3", False),
    ("fp8_e5m2", NumberKind.FP8, 8, 2, -57344, 57344, "f8e5m2", False),
]


def test_table():
    known = [
        (p.name, p.kind, p.bits, p.mantissa_bits, p.lowest, p.highest, p.storage, p.weights_only)
        for p in PRECISIONS.values()
    ]
    assert known == TABLE


@pytest.mark.parametrize("precision", [p for p in PRECISIONS.values() if not p.is_float], ids=str)
def test_bits_and_ends_are_those_of_the_storage_type(precision):
    kind = getattr(ov.Type, precision.storage)
    assert (kind.bitwidth, 2**kind.bitwidth) == (precision.bits, precision.levels)
    tensor = ov.Tensor(kind, [precision.levels])
    tensor.data[...] = np.arange(precision.levels).astype(np.uint8).view(tensor.data.dtype)
    converted = ops.convert(ov.op.Constant(tensor), "f32")
    values = run(ov.Model([ops.result(converted)], [ops.parameter([1], np.float32)]), np.zeros(1, np.float32))
    values = values[np.isfinite(values)]
    assert (values.min(), values.max()) == (precision.lowest, precision.highest)


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=str)
def test_a_precision_is_read_as_it_is_written(precision):
    assert Precision.parse(str(precision)) == Precision.parse(str(precision).upper()) == precision
    assert Precision.parse(precision) is precision
    assert pickle.loads(pickle.dumps(precision)) == precision  # noqa: S301  # our own bytes
    assert repr(precision) == f"Precision({precision.name!r})"


@pytest.mark.parametrize("word", ["int7", 8, None, ["int8"], {"int8": 1}])
def test_what_is_no_precision_is_named(word):
    with pytest.raises(PlanError, match=r"precision .* is unknown: (did you mean|known: )"):
        Precision.parse(word)


def test_what_a_model_as_a_whole_can_be_quantized_to():
    assert [str(p) for p in PRECISIONS.values() if p.is_mode] == ["int8", "fp8_e4m3", "fp8_e5m2"]
