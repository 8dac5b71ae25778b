import ml_dtypes
import numpy as np
import openvino as ov
import openvino.opset13 as op
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoq.graph import float_constant, with_float_ends

NUMPY = {"f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64}


@pytest.mark.parametrize("kind", NUMPY)
@given(values=st.lists(st.floats(width=32), min_size=1, max_size=8))
def test_constants_are_rounded_to_nearest(kind: str, values: list[float]) -> None:
    numbers = np.float32(values)
    node = float_constant(numbers, getattr(ov.Type, kind))
    assert node.get_output_element_type(0) == getattr(ov.Type, kind)
    most = np.float32(ml_dtypes.finfo(NUMPY[kind]).max) if kind != "f64" else np.inf
    limited = np.where(np.isfinite(numbers), np.clip(numbers, -most, most), numbers)
    with np.errstate(invalid="ignore"):
        want = limited.astype(NUMPY[kind]).astype(np.float64)
    np.testing.assert_array_equal(node.get_data(dtype=np.float64), want)


def test_ends_of_bfloat16_take_and_give_numbers() -> None:
    x, y = (op.parameter([-1, 2], getattr(ov.Type, kind), name=name) for kind, name in (("bf16", "x"), ("f32", "y")))
    doubled = op.add(x, x)
    doubled.output(0).set_names({"doubled"})
    model = ov.Model([op.result(doubled), op.result(op.add(y, y))], [x, y], "ends")
    ends = with_float_ends(model)
    assert [port.get_element_type() for port in (*ends.inputs, *ends.outputs)] == [ov.Type.f32] * 4
    assert [port.get_any_name() for port in ends.inputs] == ["x", "y"]
    assert ends.output(0).get_names() == {"doubled"}
    assert model.input(0).get_element_type() == ov.Type.bf16
    found = ov.compile_model(ends, "CPU")({"x": np.float32([[1.5, -300]]), "y": np.float32([[1, 2]])})
    np.testing.assert_array_equal(found[0], [[3, -600]])


def test_a_model_without_them_is_itself() -> None:
    x = op.parameter([1, 2], np.float16, name="x")
    model = ov.Model([op.relu(x)], [x], "ends")
    assert with_float_ends(model) is model
