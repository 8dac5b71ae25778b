"""Labelled data in the forms that users have them."""

import numpy as np
import pytest
from networks import conv_net, images

from autoq.core import DataError
from autoq.evaluation import ValidationSet

X, Y = images(5), np.arange(5)


class Indexable:
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return X[index][None], int(Y[index])


FORMS = {
    "two arrays": (X, Y),
    "list of pairs": [(x[None], y) for x, y in zip(X, Y, strict=True)],
    "generator": ((x[None], y) for x, y in zip(X, Y, strict=True)),
    "indexable": Indexable(),
    "dicts": [({"image": x[None]}, y) for x, y in zip(X, Y, strict=True)],
}


@pytest.mark.parametrize("name", FORMS)
def test_forms(name):
    pairs = ValidationSet.of(conv_net(), FORMS[name])
    assert len(pairs) == 5
    for index, (feed, target) in enumerate(pairs):
        np.testing.assert_array_equal(feed["image"], X[index : index + 1])
        assert target == index


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "validation data are empty"),
        (X, "validation data are a ndarray: pass pairs"),
        (7, "validation data are a int"),
        ((X, Y[:3]), "5 inputs but 3 targets"),
        ([(X[:1], 0, 1)], "validation sample 0 is a tuple of 3: a pair"),
        ([X[0]], "validation sample 0 is a ndarray of 3: a pair"),
        ([(X[:1, :, :4], 0)], r"validation sample 0: input 'image' has shape \[1, 3, 4, 8\]"),
        ([({"picture": X[:1]}, 0)], "input 'picture' that the model does not have"),
    ],
)
def test_what_cannot_be_used(data, message):
    with pytest.raises(DataError, match=message):
        ValidationSet.of(conv_net(), data)


def test_a_bad_sample_is_named_when_it_is_reached():
    pairs = ValidationSet.of(conv_net(), [(X[:1], 0), (X[:1] * np.nan, 1)])
    with pytest.raises(DataError, match="validation sample 1: input 'image' holds NaN"):
        pairs[1]
