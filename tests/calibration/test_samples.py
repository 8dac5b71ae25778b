import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, token_net
from openvino import opset13 as ops

from autoq.calibration import as_inputs
from autoq.core import DataError


def two_inputs():
    a, b = ops.parameter([1, 2], np.float32, "a"), ops.parameter([1, 2], np.int64, "b")
    for port, name in ((a, "a"), (b, "b")):
        port.output(0).tensor.set_names({name})
    return ov.Model([ops.result(ops.add(a, ops.convert(b, "f32")))], [a, b])


def test_an_array_is_cut_into_batches_of_the_models_size():
    x = images(6)
    one, two = as_inputs(conv_net(), x), as_inputs(conv_net(batch=2), x)
    assert len(one) == 6
    assert len(two) == 3
    np.testing.assert_array_equal(two[1]["image"], x[2:4])
    np.testing.assert_array_equal(np.concatenate([item["image"] for item in one]), x)


@pytest.mark.parametrize(
    "data",
    [
        [{"a": np.float32([[1, 2]]), "b": np.int64([[3, 4]])}],
        [(np.float32([[1, 2]]), np.int64([[3, 4]]))],
        {"a": np.float32([[1, 2]]), "b": np.int64([[3, 4]])},
        ({"b": b, "a": a} for a, b in [(np.float32([[1, 2]]), np.int32([[3, 4]]))]),
    ],
)
def test_inputs_by_name_by_place_and_from_an_iterator(data):
    feed = as_inputs(two_inputs(), data)[0]
    np.testing.assert_array_equal(feed["a"], [[1, 2]])
    assert feed["b"].dtype == np.int64


def test_numbers_are_converted_and_the_users_arrays_are_left_alone():
    raw = np.random.default_rng(0).integers(0, 255, (2, 3, 8, 8)).astype(np.uint8)
    before = raw.copy()
    feed = as_inputs(conv_net(), raw)[0]["image"]
    feed[:] = 0
    assert feed.dtype == np.float32
    np.testing.assert_array_equal(raw, before)


def test_dynamic_dimensions_take_any_size():
    inputs = as_inputs(token_net(), [np.zeros((1, n), np.int64) for n in (3, 5)])
    assert [item["tokens"].shape for item in inputs] == [(1, 3), (1, 5)]


def nan_image():
    x = images(1)
    x[0, 0, 0, 0] = np.nan
    return x


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.empty((0, 3, 8, 8), np.float32), "calibration data are empty"),
        ([], "calibration data are empty"),
        (np.zeros((2, 8, 8, 3), np.float32), r"sample 0: input 'image' has shape \[1, 8, 8, 3\].*takes \[1,3,8,8\]"),
        ([np.zeros((3, 8, 8), np.float32)], r"has shape \[3, 8, 8\]"),
        ([np.array(["a"])], "has type <U1, which is not numeric"),
        ([{"picture": images(1)}], "input 'picture' that the model does not have"),
        ([{}], "lacks the model's input 'image'"),
        (nan_image(), "sample 0: input 'image' holds NaN or infinity"),
        (3, "calibration data are a int"),
        ("images.npy", "calibration data are a str"),
    ],
)
def test_what_does_not_fit_is_named(data, message):
    with pytest.raises(DataError, match=message):
        as_inputs(conv_net(), data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([images(1)], "one array, but the model has 2 inputs: 'a', 'b'"),
        ([(images(1),)], "has 1 arrays, but the model has 2 inputs"),
        ({"a": np.zeros((2, 2)), "b": np.zeros((3, 2))}, "differ in their number of samples"),
        ([{"a": np.zeros((1, 2)), "b": np.full((1, 2), 0.5)}], "has type float64, but the model takes int64"),
    ],
)
def test_what_does_not_fit_several_inputs_is_named(data, message):
    with pytest.raises(DataError, match=message):
        as_inputs(two_inputs(), data)


def test_a_later_sample_is_checked_when_it_is_read():
    inputs = as_inputs(conv_net(), [images(1), np.zeros((1, 1), np.float32)])
    with pytest.raises(DataError, match="sample 1"):
        inputs[1]


def test_too_few_samples_for_a_batch():
    with pytest.raises(DataError, match="1 samples, less than the model's batch of 4"):
        as_inputs(conv_net(batch=4), images(1))
