import numpy as np
import openvino as ov
import pytest
from networks import conv_net, images, token_net
from openvino import opset13 as ops

from autoq.calibration import as_inputs, rows_apart
from autoq.core import DataError, ModelError


def two_inputs():
    a, b = ops.parameter([1, 2], np.float32, "a"), ops.parameter([1, 2], np.int64, "b")
    for port, name in ((a, "a"), (b, "b")):
        port.output(0).tensor.set_names({name})
    return ov.Model([ops.result(ops.add(a, ops.convert(b, "f32")))], [a, b])


def linear_over(shape, layout=None, dtype=np.float32):
    x = ops.parameter(shape, dtype, name="x")
    if layout is not None:
        x.set_layout(ov.Layout(layout))
    weight = np.ones((3 if shape[-1] == -1 else shape[-1], 2), np.float32)
    return ov.Model([ops.result(ops.matmul(ops.convert(x, "f32"), weight, False, False))], [x])


def numbered(count, *shape):
    """Arrays that hold their own number."""
    return [np.full(shape, number, np.float32) for number in range(count)]


def numbers(inputs):
    return [int(next(iter(feed.values())).reshape(-1)[0]) for feed in inputs]


# --- what a sample is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [[300, 1, 3], [224, 224, 3], [16, 3], [1, 3], [-1, 3], [2, -1, 3]], ids=str)
def test_an_item_that_fits_is_a_sample_whatever_its_first_axis(shape):
    lengths = [5 if size == -1 else size for size in shape]
    inputs = as_inputs(linear_over(shape), numbered(4, *lengths))
    assert numbers(inputs) == [0, 1, 2, 3]
    assert {feed["x"].shape for feed in inputs} == {tuple(lengths)}


@pytest.mark.parametrize("shape", [[300, 1, 3], [16, 3], [1, 3], [-1, 3], [1, -1, 3]], ids=str)
def test_a_row_of_an_array_is_a_sample(shape):
    lengths = [5 if size == -1 else size for size in shape]
    inputs = as_inputs(linear_over(shape), np.stack(numbered(4, *lengths)))
    assert numbers(inputs) == [0, 1, 2, 3]
    assert {feed["x"].shape for feed in inputs} == {tuple(lengths)}


@pytest.mark.parametrize("data", [numbered(4, 7, 3), np.stack(numbered(4, 7, 3)), iter(numbered(4, 7, 3))], ids=type)
@pytest.mark.parametrize("shape", [[1, 7, 3], [-1, 7, 3], [-1, -1, 3]], ids=str)
def test_a_sample_is_given_the_first_axis_that_it_lacks(shape, data):
    data = numbered(4, 7, 3) if not isinstance(data, np.ndarray | list) else data
    inputs = as_inputs(linear_over(shape), data)
    assert numbers(inputs) == [0, 1, 2, 3]
    assert {feed["x"].shape for feed in inputs} == {(1, 7, 3)}


def test_a_model_that_takes_several_at_a_time_is_given_as_many_rows():
    x = images(7)
    two = as_inputs(conv_net(batch=2), x)
    assert len(two) == 3
    np.testing.assert_array_equal(two[1]["image"], x[2:4])
    with pytest.raises(DataError, match="1 samples, less than the model's batch of 4"):
        as_inputs(conv_net(batch=4), images(1))


def test_a_model_that_takes_one_is_given_the_samples_of_a_batch():
    """Nothing else fits."""
    inputs = as_inputs(conv_net(), [images(4), images(4, seed=1), images(2, seed=2)])
    np.testing.assert_array_equal(
        np.concatenate([feed["image"] for feed in inputs]),
        np.concatenate([images(4), images(4, seed=1), images(2, seed=2)]),
    )


def test_a_layout_says_what_the_first_axis_is():
    batch = [np.stack(numbered(4, 3)), np.stack(numbered(2, 3))]
    assert len(as_inputs(linear_over([-1, 3]), batch)) == 2
    assert len(as_inputs(linear_over([-1, 3], "NC"), batch)) == 6
    sequence = np.stack(numbered(4, 3))
    assert len(as_inputs(linear_over([-1, 3]), sequence)) == 4
    # The array as a whole is one sequence.
    assert len(as_inputs(linear_over([-1, 3], "TC"), sequence)) == 1
    # Rows are taken as many at a time as the model takes, where the layout does not say that they are none.
    assert len(as_inputs(linear_over([2, 3]), sequence)) == 2
    with pytest.raises(DataError, match=r"has shape \[3\], but the model takes \[2,3\]"):
        as_inputs(linear_over([2, 3], "TC"), sequence)


class Loader:
    """Yields batches and says so."""

    def __init__(self, batches, batch_size):
        self.batches, self.batch_size, self.dataset = batches, batch_size, object()

    def __iter__(self):
        return iter(self.batches)


def test_a_loader_says_that_its_items_are_batches():
    batches = [np.stack(numbered(4, 3)), np.stack(numbered(2, 3))]
    assert numbers(as_inputs(linear_over([-1, 3]), Loader(batches, 4))) == [0, 1, 2, 3, 0, 1]
    assert len(as_inputs(linear_over([-1, 3]), Loader(batches, None))) == 2
    # Three samples of two at a time, whatever the batches.
    pairs = as_inputs(linear_over([2, 3]), Loader([np.stack(numbered(5, 3)), np.stack(numbered(1, 3))], 5))
    np.testing.assert_array_equal([feed["x"][:, 0] for feed in pairs], [[0, 1], [2, 3], [4, 0]])
    # Sequences of five, two at a time.
    sequences = Loader([np.stack(numbered(2, 5, 3))], 2)
    assert [feed["x"].shape for feed in as_inputs(linear_over([-1, 3]), sequences)] == [(5, 3), (5, 3)]


def test_an_input_of_unknown_rank_is_refused_with_what_to_do():
    x = ops.parameter(ov.PartialShape.dynamic(), np.float32, name="x")
    model = ov.Model([ops.result(ops.relu(x))], [x])
    with pytest.raises(ModelError, match=r"does not say how many axes its input 'x' has.*model\.reshape\("):
        as_inputs(model, [np.zeros((2, 3))])
    model.reshape([-1, 3])
    assert as_inputs(model, np.zeros((2, 3)))[0]["x"].shape == (1, 3)


@pytest.mark.parametrize("hold", [list, lambda samples: np.array([*samples, None], object)[:-1]], ids=["list", "array"])
def test_dynamic_dimensions_take_any_size(hold):
    inputs = as_inputs(token_net(), hold([np.zeros((1, n), np.int64) for n in (3, 5)]))
    assert [item["tokens"].shape for item in inputs] == [(1, 3), (1, 5)]


def test_it_is_known_which_models_keep_rows_apart():
    x = ops.parameter([-1, 4], np.float32, name="x")
    mixed = ov.Model([ops.result(ops.subtract(x, ops.reduce_mean(x, np.array([0]), keep_dims=True)))], [x])
    assert rows_apart(conv_net(batch=-1), {"image": (1, 3, 8, 8)})
    assert not rows_apart(mixed, {"x": (1, 4)})


# --- what an item is -------------------------------------------------------------------------------------------------

A, B = np.float32([[1, 2]]), np.int64([[3, 4]])


@pytest.mark.parametrize(
    "data",
    [
        [{"a": A, "b": B}],
        [(A, B)],
        [(A[0], B[0])],
        [[[1.0, 2.0], [3, 4]]],
        {"a": A, "b": B},
        (A, B),
        [{"b": B, "a": A, "label": 3, "path": "photo.png"}],
        [(A, B, 7)],
        [((A, B), 7)],
        [({"b": B, "a": A}, 7)],
        ({"b": b, "a": a} for a, b in [(A, np.int32([[3, 4]]))]),
    ],
)
def test_several_inputs_by_name_by_place_and_with_labels(data):
    (feed,) = as_inputs(two_inputs(), data)
    np.testing.assert_array_equal(feed["a"], A)
    np.testing.assert_array_equal(feed["b"], B)
    assert feed["b"].dtype == np.int64


ONE = images(1)[0]


@pytest.mark.parametrize(
    "item",
    [
        ONE,
        ONE[None],
        ov.Tensor(ONE[None].copy()),
        ONE.tolist(),
        (ONE, 3),
        [ONE, np.int64(3)],
        (ONE[None], np.array([3])),
        (ONE, 3, "photo.png"),
        (ONE,),
        ({"image": ONE}, 3),
        {"image": ONE, "label": 3},
        {"pixel_values": ONE, "label": 3, "boxes": np.zeros((7, 4))},
        list(ONE),
        (ONE, ONE),
    ],
    ids=lambda item: type(item).__name__,
)
@pytest.mark.parametrize("yielded", [list, iter], ids=["list", "iterator"])
def test_one_input_in_whatever_holds_it(item, yielded):
    (feed,) = as_inputs(conv_net(), yielded([item]))
    np.testing.assert_array_equal(feed["image"], ONE[None])


def test_an_array_with_labels_beside_it():
    for labels in (np.arange(5), np.eye(5)):
        inputs = as_inputs(conv_net(batch=-1), (images(5), labels))
        assert len(inputs) == 5
    assert len(as_inputs(conv_net(), {"image": images(5), "label": np.arange(5)})) == 5
    with pytest.raises(DataError, match="tuple of 2 arrays of 5 rows each, of which the last one may be inputs too"):
        as_inputs(conv_net(), (images(5), images(5)))
    assert len(as_inputs(conv_net(), (images(1), images(1)))) == 2


def test_which_of_several_parts_is_the_input_is_not_guessed():
    with pytest.raises(DataError, match="lacks the model's input 'image': its keys are 'left', 'right'; rename"):
        as_inputs(conv_net(), [{"left": ONE, "right": ONE}])
    with pytest.raises(DataError, match=r"list of 2 arrays.*one input of shape \[2, 3\] or an input and its label"):
        as_inputs(linear_over([-1, 3]), [[np.zeros(3), np.zeros(3)]])
    assert len(as_inputs(linear_over([-1, 3]), [(np.zeros(3), np.zeros(3))])) == 1


def test_texts_are_inputs_of_models_that_take_texts():
    x = ops.parameter([-1], ov.Type.string, name="x")
    model = ov.Model([ops.result(x)], [x])
    assert [feed["x"].tolist() for feed in as_inputs(model, ["good", np.array(["bad", "worse"])])] == [
        ["good"],
        ["bad", "worse"],
    ]


# --- reading ---------------------------------------------------------------------------------------------------------


def test_numbers_are_converted_and_the_users_arrays_are_left_alone():
    raw = np.random.default_rng(0).integers(0, 255, (2, 3, 8, 8)).astype(np.uint8)
    before = raw.copy()
    feed = as_inputs(conv_net(), raw)[0]["image"]
    feed[:] = 0
    assert feed.dtype == np.float32
    np.testing.assert_array_equal(raw, before)


def test_a_generator_may_fill_one_buffer_again_and_again():
    def stream():
        buffer = np.empty((1, 3), np.float32)
        for number in range(5):
            buffer[:] = number
            yield buffer

    assert numbers(list(as_inputs(linear_over([1, 3]), stream()))) == [0, 1, 2, 3, 4]


def test_what_can_be_indexed_is_read_when_it_is_asked_for():
    read = []

    class Data:
        def __len__(self):
            return 1000

        def __getitem__(self, index):
            read.append(index)
            return images(1)[0], index

    inputs = as_inputs(conv_net(), Data())
    assert len(inputs) == 1000
    read.clear()
    inputs[7]
    inputs[999]
    assert read == [7, 999]


def test_a_later_sample_is_checked_when_it_is_read():
    inputs = as_inputs(conv_net(), [images(1), np.zeros((1, 1), np.float32)])
    with pytest.raises(DataError, match="sample 1"):
        inputs[1]


def test_what_the_users_code_raises_is_an_error_of_the_data():
    class Data:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            if index:
                raise OSError("disk is gone")
            return images(1)

    def stream():
        yield images(1)
        raise KeyError("image")

    with pytest.raises(DataError, match="calibration item 1 cannot be read: OSError: disk is gone"):
        as_inputs(conv_net(), Data())[1]
    with pytest.raises(DataError, match="calibration item 1 cannot be read: KeyError: 'image'"):
        list(as_inputs(conv_net(), stream()))


# --- what does not fit -----------------------------------------------------------------------------------------------


def nan_image():
    x = images(1)
    x[0, 0, 0, 0] = np.nan
    return x


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.empty((0, 3, 8, 8), np.float32), "calibration data are empty"),
        ([], "calibration data are empty"),
        (iter([]), "calibration data are empty"),
        (np.zeros((2, 8, 8, 3), np.float32), r"sample 0: input 'image' has shape \[8, 8, 3\].*takes \[1,3,8,8\]"),
        ([np.array(["a"])], "has type <U1, which is not numeric; float32 is wanted. A text has to be tokenized"),
        ([[[1.0], [1.0, 2.0]]], "is a list that is no array: its rows differ in length"),
        ([{"picture": np.zeros(3)}], "lacks the model's input 'image': its keys are 'picture'; rename"),
        ([{}], "lacks the model's input 'image': its keys are none"),
        (nan_image(), "sample 0: input 'image' holds NaN or infinity"),
        (3, "calibration data are a int"),
        (None, "calibration data are a NoneType"),
        ({"image": "photo.png"}, "hold a str for 'image': arrays"),
        (np.full((2, 3, 8, 8), "a"), "sample 0: input 'image' has type <U1, which is not numeric"),
    ],
)
def test_what_does_not_fit_is_named(data, message):
    with pytest.raises(DataError, match=message):
        as_inputs(conv_net(), data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([images(1)], "one array, but the model has 2 inputs: 'a', 'b'. Pass a dict"),
        (np.zeros((4, 2)), "data are one array, but the model has 2 inputs"),
        ([(images(1),)], "has 1 arrays, but the model has 2 inputs"),
        ({"a": np.zeros((2, 2)), "b": np.zeros((3, 2))}, "differ in their number of samples"),
        ({"a": np.zeros((2, 2))}, "lacks the model's input 'b'"),
        ({"a": [[1, 2], [3]], "b": np.zeros((2, 2))}, "lists of arrays of several shapes: yield a dict for each"),
        ([{"a": np.zeros((1, 2)), "b": np.full((1, 2), 0.5)}], "has type float64, but the model takes int64"),
    ],
)
def test_what_does_not_fit_several_inputs_is_named(data, message):
    with pytest.raises(DataError, match=message):
        as_inputs(two_inputs(), data)


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        (np.uint8, np.full((1, 3), 0.5), r"has type float64, but the model takes uint8: pass pixels of 0 to 255"),
        (np.uint8, np.array([[1, 2, 300]]), "holds numbers from 1 to 300, but the model takes uint8, 0 to 255"),
        (np.int32, np.array([[0, 0, 2**40]]), "the model takes int32"),
        (np.float16, np.full((1, 3), 1e6), "too large for float16"),
    ],
)
def test_numbers_that_the_models_type_does_not_hold(dtype, value, message):
    with pytest.raises(DataError, match=message):
        as_inputs(linear_over([1, 3], dtype=dtype), [value])


@pytest.mark.parametrize(
    ("wanted", "shape", "cured"),
    [
        ([1, 3, 8, 8], (8, 8, 3), r"transpose it by \(2, 0, 1\) to \[3, 8, 8\] \(channels first\)"),
        ([1, 3, 8, 8], (1, 8, 8, 3), r"transpose it by \(0, 3, 1, 2\) to \[1, 3, 8, 8\] \(channels first\)"),
        ([-1, 8, 8, 3], (3, 8, 8), r"transpose it by \(1, 2, 0\) to \[8, 8, 3\] \(channels last\)"),
        ([1, 3, 8, 8], (3, 9, 8), r"resize it to \[3, 8, 8\]"),
        ([1, 3, 8, 8], (1, 3, 224, 224), r"resize it to \[1, 3, 8, 8\]"),
        ([1, 3, -1, -1], (1, 9, 9), "it has 1 channel, 3 are needed"),
        ([1, 1, 8, 8], (3, 8, 8), "it has 3 channels, 1 is needed"),
        ([1, 3, 8, 8], (), "perhaps a label"),
        ([4, 3, 8, 8], (3, 3, 8, 8), "the model takes 4 samples at a time"),
        ([4, 3, 8, 8], (3, 8, 8), "the model takes 4 samples at a time"),
        ([300, 1, 16], (300, 16), r"it lacks an axis of length one: reshape it to \[300, 1, 16\]"),
        ([16], (16, 1), r"it has an axis too many of length one: reshape it to \[16\]"),
        ([1, 128], (1, 100), "pad or cut axis 1 to 128"),
        ([1, 64, 4], (1, 256), r"reshape it to \[1, 64, 4\]"),
    ],
)
def test_the_likely_cure_is_named(wanted, shape, cured):
    x = ops.parameter(wanted, np.float32, name="x")
    model = ov.Model([ops.result(ops.relu(x))], [x])
    with pytest.raises(DataError, match=rf"calibration sample 0: input 'x' has shape .*{cured}"):
        as_inputs(model, [np.zeros(shape, np.float32)])


def test_a_later_batch_among_samples_is_named():
    inputs = as_inputs(conv_net(), [images(1), images(4)])
    with pytest.raises(DataError, match=r"sample 1.*it holds 4 samples: pass them one by one"):
        inputs[1]
