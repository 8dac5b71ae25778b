"""Targets of a batch, one for each sample."""

import numpy as np
import pytest

from autoq.core import DataError
from autoq.evaluation.scoring._targets import has_rows, kept, target_rows

Y = np.arange(6).reshape(3, 2)

# target, parts -> targets of three samples
SPLIT = [
    (Y, None, [[0, 1], [2, 3], [4, 5]]),
    ({"a": Y, "b": ["x", "y", "z"]}, None, [{"a": [0, 1], "b": "x"}, {"a": [2, 3], "b": "y"}, {"a": [4, 5], "b": "z"}]),
    ([Y, Y[:, 0]], None, [([0, 1], 0), ([2, 3], 2), ([4, 5], 4)]),
    ((Y, Y), True, [([0, 1], [0, 1]), ([2, 3], [2, 3]), ([4, 5], [4, 5])]),
    ((Y, Y, Y[:, 0]), True, [([0, 1], [0, 1], 0), ([2, 3], [2, 3], 2), ([4, 5], [4, 5], 4)]),
    ((Y, Y, Y), False, [Y.tolist()] * 3),
    (["x", [1], None], None, ["x", [1], None]),
    ((Y[:1], Y, Y[:2]), None, [[[0, 1]], Y.tolist(), [[0, 1], [2, 3]]]),
]
REFUSED = [
    (Y[:2], None, r"sample 7: the target of a batch of 3 samples is a ndarray of shape \[2, 2\]: 3 are needed\."),
    (5, None, "a batch of 3 samples is a int: 3 are needed"),
    (["x", "y"], None, "a batch of 3 samples is a list of 2: 3 are needed"),
    ((), None, "a batch of 3 samples is a tuple of 0: 3 are needed"),
    ([Y, Y[:2]], None, "a batch of 3 samples is a list of 2: 3 are needed"),
    ([Y, Y], False, "a batch of 3 samples is a list of 2: 3 are needed"),
    (["x", "y", "z"], True, "a batch of 3 samples is a list of 3: 3 are needed"),
    ((Y, Y, Y), None, "of a batch of 3 is a tuple of 3 parts, each of 3 rows: pass batches of another size"),
    ({"a": Y[:2]}, None, r"a ndarray of shape \[2, 2\]: 3 are needed"),
]


def plain(value):
    """Arrays as lists."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(plain, value))
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


@pytest.mark.parametrize(("target", "parts", "expected"), SPLIT)
def test_table(target, parts, expected):
    assert plain(target_rows(target, 3, "sample 7", parts=parts)) == expected


@pytest.mark.parametrize(("target", "parts", "message"), REFUSED)
def test_what_has_not_one_target_for_each_is_named(target, parts, message):
    with pytest.raises(DataError, match=message):
        target_rows(target, 3, "sample 7", parts=parts)


@pytest.mark.parametrize(
    ("target", "expected"),
    [(5, [5]), ("x", ["x"]), (None, [None]), ([7], [7]), (Y[:1], [[0, 1]]), ([Y[:1]], [[[0, 1]]])],
)
def test_the_target_of_one_sample_may_be_no_list(target, expected):
    assert plain(target_rows(target, 1, "sample 0")) == expected


@pytest.mark.parametrize("size", [2, 300])
def test_as_many_targets_as_samples_are_rows(size):
    for target in (np.zeros((size, 2)), [0] * size, (0,) * size):
        assert has_rows(target, size)
        assert len(target_rows(target, size, "sample 0")) == size
        assert not has_rows(target, size + 1)
        assert not has_rows(target, size - 1)
    assert not has_rows("x" * size, size)
    assert not has_rows({"a": [0] * size}, 1)


def test_what_is_kept_does_not_change_with_what_was_given():
    class Tensor:
        def __init__(self, numbers):
            self.numbers = numbers

        def __array__(self, dtype=None, copy=None):
            return self.numbers

        def clone(self):
            return Tensor(self.numbers.copy())

        shape = (2,)

        def __len__(self):
            return 2

    given = {"a": [np.zeros(2), (np.zeros(2),)], "b": Tensor(np.zeros(2)), "c": "x"}
    copy = kept(given)
    for array in (given["a"][0], given["a"][1][0], given["b"].numbers):
        np.add(array, 1, out=array)
    assert type(copy["a"][1]) is tuple
    assert [copy["a"][0].tolist(), copy["a"][1][0].tolist(), np.asarray(copy["b"]).tolist(), copy["c"]] == [
        *[[0, 0]] * 3,
        "x",
    ]
