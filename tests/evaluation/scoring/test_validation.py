"""Labelled data in the forms that users have them."""

import numpy as np
import openvino as ov
import pandas
import pytest
from networks import conv_net, images
from openvino import opset13 as ops

import autoq
from autoq.core import DataError
from autoq.evaluation.scoring import ValidationSet

X, Y = images(5), np.arange(5)
OPEN = conv_net(batch=-1)


class Indexable:
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return X[index][None], int(Y[index])


class Loader:
    """Yields batches and says so."""

    def __init__(self, batches, batch_size):
        self.batches, self.batch_size, self.dataset = batches, batch_size, object()

    def __iter__(self):
        return iter(self.batches)


def batches(size, target=lambda numbers: Y[numbers]):
    return [(X[i : i + size], target(np.arange(i, min(i + size, 5)))) for i in range(0, 5, size)]


def buffers():
    image, target = np.empty((1, 3, 8, 8), np.float32), np.empty(1, int)
    for x, y in zip(X, Y, strict=True):
        image[0], target[0] = x, y
        yield image, target


FORMS = {
    "two arrays": lambda: (X, Y),
    "two arrays in a list": lambda: [X, Y],
    "an array and a list": lambda: (X, Y.tolist()),
    "a dict of arrays and another": lambda: ({"image": X}, Y),
    "a dict of arrays": lambda: {"image": X, "class": Y},
    "list of pairs": lambda: [(x[None], y) for x, y in zip(X, Y, strict=True)],
    "pairs without a batch axis": lambda: list(zip(X, Y, strict=True)),
    "generator": lambda: ((x[None], y) for x, y in zip(X, Y, strict=True)),
    "indexable": Indexable,
    "dicts": lambda: [({"image": x[None]}, y) for x, y in zip(X, Y, strict=True)],
    "rows": lambda: [{"image": x, "label": y} for x, y in zip(X, Y, strict=True)],
    "rows of other names": lambda: [{"pixels": x, "label": y, "id": "a"} for x, y in zip(X, Y, strict=True)],
    "loader": lambda: Loader(batches(2), 2),
    "loader of dicts": lambda: Loader([{"image": x, "labels": y} for x, y in batches(2)], 2),
    "two lists": lambda: (list(X), list(Y)),
    "buffers filled again": buffers,
    "a column of pandas": lambda: (X, pandas.Series(Y, index=Y[::-1])),
    "frame": lambda: pandas.DataFrame({"image": list(X), "label": Y}),
    "generator of batches": lambda: iter(batches(2)),
    "list of batches": lambda: batches(3),
    "batches with lists of targets": lambda: batches(2, lambda numbers: numbers.tolist()),
}


@pytest.mark.parametrize("model", [conv_net(), OPEN], ids=["one", "open"])
@pytest.mark.parametrize("name", FORMS)
def test_forms(name, model):
    pairs = ValidationSet.of(model, FORMS[name]())
    assert len(pairs) == 5
    for index, (feed, target) in enumerate(pairs):
        np.testing.assert_array_equal(feed["image"], X[index : index + 1])
        assert target == index


def two_inputs():
    a, b = ops.parameter([1, 2], np.float32, name="a"), ops.parameter([1, 2], np.float32, name="b")
    return ov.Model([ops.result(ops.add(a, b))], [a, b])


@pytest.mark.parametrize(
    "data",
    [
        [((n, n + 1), n) for n in np.arange(8.0).reshape(4, 1, 2)],
        [(n, n + 1, n) for n in np.arange(8.0).reshape(4, 1, 2)],
        ((np.arange(8.0).reshape(4, 2), np.arange(8.0).reshape(4, 2) + 1), np.arange(8.0).reshape(4, 2)),
        [{"a": n, "b": n + 1, "label": n} for n in np.arange(8.0).reshape(4, 2)],
        Loader([((n, n + 1), n) for n in np.arange(8.0).reshape(2, 2, 2)], 2),
    ],
)
def test_several_inputs(data):
    pairs = ValidationSet.of(two_inputs(), data)
    assert len(pairs) == 4
    for number, (feed, target) in enumerate(pairs):
        np.testing.assert_array_equal(feed["a"], [[2 * number, 2 * number + 1]])
        np.testing.assert_array_equal(feed["b"], feed["a"] + 1)
        np.testing.assert_array_equal(np.ravel(target), feed["a"][0])


BOXES = [{"boxes": np.full((n, 4), n), "labels": np.arange(n)} for n in range(5)]


@pytest.mark.parametrize(
    ("target", "of"),
    [
        (lambda numbers: [BOXES[n] for n in numbers], lambda n: BOXES[n]),
        (lambda numbers: tuple(f"text {n}" for n in numbers), lambda n: f"text {n}"),
        (lambda numbers: {"class": numbers, "size": numbers + 1}, lambda n: {"class": n, "size": n + 1}),
        (lambda numbers: [numbers, numbers + 1, np.stack([numbers, numbers], 1)], lambda n: (n, n + 1, [n, n])),
    ],
    ids=["one by one", "texts", "dict", "parts"],
)
def test_targets_of_a_batch_are_split_with_it(target, of):
    pairs = ValidationSet.of(OPEN, Loader(batches(2, target), 2))
    assert len(pairs) == 5
    for number, (_, found) in enumerate(pairs):
        expected = of(number)
        assert type(found) is type(expected)
        if isinstance(expected, tuple):
            assert found[:2] == expected[:2]
            assert found[2].tolist() == expected[2]
        else:
            np.testing.assert_equal(found, expected)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.arange(3), r"sample 0: the target of a batch of 2 samples is a ndarray of shape \[3\]: 2 are needed"),
        ([1, 2, 3], "target of a batch of 2 samples is a list of 3: 2 are needed"),
        (7, "target of a batch of 2 samples is a int: 2 are needed"),
        ([np.arange(2), np.arange(2)], "is a list of 2 parts, each of 2 rows: pass batches of another size"),
    ],
)
def test_targets_that_do_not_belong_to_a_batch(target, message):
    with pytest.raises(DataError, match=message):
        ValidationSet.of(OPEN, Loader([(X[:2], target)], 2))


def test_rows_that_the_model_does_not_keep_apart_are_one_sample():
    """A sequence with a label for each step, of which each depends on all."""
    x = ops.parameter([-1, 4], np.float32, name="x")
    mixed = ov.Model([ops.result(ops.subtract(x, ops.reduce_mean(x, np.array([0]), keep_dims=True)))], [x])
    sequences = [(np.ones((6, 4)), np.arange(6)), (np.ones((3, 4)), np.arange(3))]
    assert [len(target) for _, target in ValidationSet.of(mixed, sequences)] == [6, 3]
    # Nor is a batch what only looks like one.
    assert len(ValidationSet.of(OPEN, [(X, 3)])) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_the_score_is_the_same_whatever_the_batch(size):
    model = conv_net(batch=-1, classes=5)
    expected = autoq.evaluate(model, (X, Y), metric="log_likelihood")
    found = autoq.evaluate(model, Loader(batches(size), size), metric="log_likelihood")
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)
    assert found.n == expected.n == 5


def test_a_model_that_takes_several_at_a_time():
    two = conv_net(batch=2)
    with pytest.warns(UserWarning, match="the last 1 of the validation samples are left out: the model takes 2"):
        pairs = ValidationSet.of(two, (X, Y))
    assert [target.tolist() for _, target in pairs] == [[0, 1], [2, 3]]
    loaded = ValidationSet.of(two, Loader(batches(4)[:1], 4))
    assert [target.tolist() for _, target in loaded] == [[0, 1], [2, 3]]
    np.testing.assert_array_equal(loaded[1][0]["image"], X[2:4])
    assert len(ValidationSet.of(two, batches(2)[:2])) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "validation data are empty"),
        (iter([]), "validation data are empty"),
        (X, "validation data are a ndarray: pass pairs"),
        ("data.npz", "'data.npz' cannot be read: No such file"),
        (7, "validation data are a int"),
        ((X, Y[:3]), "5 inputs but 3 targets"),
        ([(X[:1], 0, 1)], "validation sample 0 is a tuple of 3: a pair"),
        ([X[0]], "validation sample 0 is a ndarray of 3: a pair"),
        (
            [(X[:1, :, :4], 0)],
            r"validation sample 0: input 'image' has shape \[1, 3, 4, 8\].*resize it to \[1, 3, 8, 8\]",
        ),
        ([({"picture": X[0, 0]}, 0)], "lacks the model's input 'image': its keys are 'picture'"),
        ([{"image": X[0], "a": 1, "b": 2}], "the keys 'a', 'b' besides the inputs: which is the target"),
        ([{"image": X[0]}], "the keys no other besides the inputs"),
        ([X, Y[:3]], "validation sample 0 is a ndarray of 5"),
    ],
)
def test_what_cannot_be_used(data, message):
    with pytest.raises(DataError, match=message):
        ValidationSet.of(conv_net(), data)


def test_a_bad_sample_is_named_when_it_is_reached():
    pairs = ValidationSet.of(conv_net(), [(X[:1], 0), (X[:1] * np.nan, 1)])
    with pytest.raises(DataError, match="validation sample 1: input 'image' holds NaN"):
        pairs[1]


def test_targets_of_one_buffer_are_those_of_their_items():
    class Refilled:
        target = np.zeros(1, int)

        def __len__(self):
            return 9

        def __getitem__(self, index):
            self.target[0] = index
            return images(1), self.target

    pairs = list(ValidationSet.of(conv_net(), Refilled()))
    assert [int(target[0]) for _, target in pairs] == list(range(9))
