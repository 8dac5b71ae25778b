"""Items are read once, and as often as they are needed where memory is short."""

import numpy as np
import pytest
from networks import conv_net, images

from autoq.core import IN_F32
from autoq.evaluation.candidate import Evaluator
from autoq.evaluation.device import RuntimeConfig
from autoq.evaluation.metrics import resolve_metric
from autoq.evaluation.scoring import ReadOnce, ValidationSet

MODEL = conv_net()
X = images(40)


class Source:
    """A user's data set, which fills one buffer for all its targets, and counts how often it is read."""

    def __init__(self, count=40):
        self.reads = np.zeros(count, int)
        self.target = np.zeros(1, int)

    def __len__(self):
        return len(self.reads)

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError(index)
        self.reads[index] += 1
        self.target[0] = index % 3
        return X[index][None], self.target


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def pairs(source):
    made = ValidationSet.of(MODEL, source)
    source.reads[:] = 0
    return made


def test_items_are_read_once_and_stay_as_they_were(source, pairs):
    kept = ReadOnce(pairs)
    assert len(kept) == len(X)
    first, again = ([(next(iter(x.values())), target) for x, target in kept] for _ in range(2))
    assert (source.reads == 1).all()
    for (x, _), (y, target), image, number in zip(first, again, X, range(len(X)), strict=True):
        np.testing.assert_array_equal(x, image[None])
        np.testing.assert_array_equal(y, x)
        assert target == number % 3


def test_memory_is_for_the_items_that_are_read_first(source, pairs):
    inputs, target = pairs[0]
    source.reads[:] = 0
    size = sum(array.nbytes for array in inputs.values()) + target.nbytes
    kept = ReadOnce(pairs, most_bytes=3 * size + size // 2)
    for _ in range(3):
        for number in (7, 5, 30, 2, 1):
            kept[number]
    assert source.reads[[7, 5, 30, 2, 1]].tolist() == [1, 1, 1, 3, 3]


def test_parts_of_targets_count_as_memory(pairs):
    inputs, _ = pairs[0]
    size = sum(array.nbytes for array in inputs.values())
    boxes = {"boxes": [np.zeros(size), "name"]}
    read = []

    class Boxes(list):
        def __getitem__(self, index):
            read.append(index)
            return super().__getitem__(index)

    for most, times in ((10 * size, 1), (8 * size, 2)):  # the boxes are of 8 bytes each
        read.clear()
        kept = ReadOnce(Boxes([(inputs, boxes)]), most_bytes=most)
        for _ in range(2):
            assert kept[0][1]["boxes"][1] == "name"
        assert len(read) == times


@pytest.mark.slow
def test_candidates_read_nothing_again(source, pairs):
    evaluator = Evaluator(
        MODEL,
        validation=pairs,
        holdout=ValidationSet.of(MODEL, other := Source(20)),
        metric=resolve_metric("accuracy"),
        runtime=RuntimeConfig(),
        sample={MODEL.inputs[0].get_any_name(): X[:1]},
        max_latency_seconds=0.01,
    )
    other.reads[:] = 0
    for _ in range(2):
        evaluator.evaluate(MODEL, IN_F32)
        evaluator.score_held_out(MODEL, IN_F32)
    assert (source.reads == 1).all()
    assert (other.reads == 1).all()
