"""Data of other libraries, known by what they can do."""

import numpy as np
import pytest
from networks import conv_net, images

from autoq.calibration import as_inputs
from autoq.core import DataError
from autoq.evaluation.scoring import ValidationSet

X, Y = images(20), np.arange(20)
OPEN = conv_net(batch=-1)


def found(data, model=OPEN):
    return np.concatenate([feed["image"] for feed in as_inputs(model, data)])


class Tensor:
    """As of TensorFlow: an array behind a method."""

    def __init__(self, array):
        self.array, self.shape = array, array.shape

    def __array__(self, *args, **kwargs):
        return self.array

    def numpy(self):
        return self.array

    def __len__(self):
        return len(self.array)

    def __getitem__(self, index):
        return Tensor(self.array[index])


class TensorsDataset:
    """As of TensorFlow: iterable, and transformed by others that hold it."""

    def __init__(self, items, under=None):
        self.items, self._input_dataset = items, under

    def __iter__(self):
        return iter([tuple(map(Tensor, item)) for item in self.items])

    def as_numpy_iterator(self):
        return iter(self.items)


class BatchDataset(TensorsDataset):
    pass


class PrefetchDataset(TensorsDataset):
    pass


class UnbatchDataset(TensorsDataset):
    pass


SINGLE = list(zip(X, Y, strict=True))
IN_EIGHTS = [(X[i : i + 8], Y[i : i + 8]) for i in range(0, 20, 8)]


def test_a_dataset_of_tensorflow():
    batched = BatchDataset(IN_EIGHTS, TensorsDataset(SINGLE))
    for data in (
        TensorsDataset(SINGLE),
        batched,
        PrefetchDataset(IN_EIGHTS, batched),
        PrefetchDataset(SINGLE, UnbatchDataset(SINGLE, batched)),
        Tensor(X),
        [Tensor(x) for x in X],
    ):
        np.testing.assert_array_equal(found(data), X)
    pairs = ValidationSet.of(OPEN, PrefetchDataset(IN_EIGHTS, batched))
    assert [int(target) for _, target in pairs] == Y.tolist()


class Dataset:
    """As of NNCF."""

    def __init__(self, items, transform, batch_size):
        self.items, self.transform, self.batch_size = items, transform, batch_size

    def get_inference_data(self, indices=None):
        return map(self.transform, self.items)

    def get_batch_size(self):
        return self.batch_size


def test_a_dataset_of_the_peer():
    np.testing.assert_array_equal(found(Dataset(SINGLE, lambda pair: pair[0][None], None)), X)
    np.testing.assert_array_equal(found(Dataset(IN_EIGHTS, lambda pair: {"image": pair[0]}, 8)), X)
    # As it feeds them to the model.
    assert len(as_inputs(OPEN, Dataset(IN_EIGHTS, lambda pair: pair[0], None))) == 3


class NumbersOnly:
    """The old protocol: items by number until there are none."""

    def __getitem__(self, index):
        if index == 20:
            raise IndexError
        return X[index], Y[index]


def test_items_by_number_without_a_length():
    np.testing.assert_array_equal(found(NumbersOnly()), X)


# --- torch -----------------------------------------------------------------------------------------------------------


class Lazy:
    def __init__(self, count=20):
        self.count, self.read = count, []

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.read.append(index)
        return X[index % 20], index


def test_tensors_and_datasets_of_torch():
    torch = pytest.importorskip("torch")
    x, y = torch.tensor(X), torch.tensor(Y)
    for data in (
        x,
        x.double(),
        x.clone().requires_grad_(),
        list(x),
        {"image": x},
        (x, y),
        torch.utils.data.TensorDataset(x, y),
        [{"image": a, "label": b} for a, b in zip(x, y, strict=True)],
    ):
        np.testing.assert_array_equal(found(data), X)
    np.testing.assert_allclose(found(x.bfloat16()), X, rtol=1e-2)


@pytest.mark.parametrize("batch_size", [None, 1, 8, 20])
def test_a_loader_of_torch_reads_the_samples_that_are_asked_for(batch_size):
    torch = pytest.importorskip("torch")
    data = Lazy()
    loader = torch.utils.data.DataLoader(data, batch_size=batch_size)
    inputs, pairs = as_inputs(OPEN, loader), ValidationSet.of(OPEN, loader)
    assert len(inputs) == len(pairs) == 20
    np.testing.assert_array_equal(np.concatenate([feed["image"] for feed in inputs]), X)
    assert [int(target) for _, target in pairs] == Y.tolist()
    data.read.clear()
    inputs[3]
    pairs[17]
    assert data.read == [3, 17]


def test_a_loader_that_shuffles_has_one_order():
    torch = pytest.importorskip("torch")
    loader = torch.utils.data.DataLoader(Lazy(), batch_size=8, shuffle=True, drop_last=True)
    pairs = ValidationSet.of(OPEN, loader)
    order = [int(target) for _, target in pairs]
    assert len(order) == 16
    assert [int(target) for _, target in pairs] == order
    assert order != sorted(order)
    for feed, number in pairs:
        np.testing.assert_array_equal(feed["image"][0], X[int(number)])


def boxes(items):
    import torch

    return torch.stack([torch.tensor(x) for x, _ in items]), [{"boxes": np.full((n, 4), n)} for _, n in items]


def test_a_loader_with_its_own_way_to_make_batches():
    torch = pytest.importorskip("torch")
    pairs = ValidationSet.of(OPEN, torch.utils.data.DataLoader(Lazy(), batch_size=8, collate_fn=boxes))
    assert [len(target["boxes"]) for _, target in pairs] == Y.tolist()
    np.testing.assert_array_equal(np.concatenate([feed["image"] for feed, _ in pairs]), X)


def test_loaders_that_can_only_be_iterated():
    torch = pytest.importorskip("torch")

    class Scaled(torch.utils.data.DataLoader):
        def __iter__(self):
            return ((2 * x, y) for x, y in super().__iter__())

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(zip(torch.tensor(X), torch.tensor(Y), strict=True))

    np.testing.assert_array_equal(found(Scaled(Lazy(), batch_size=8)), 2 * X)
    stream = torch.utils.data.DataLoader(Stream(), batch_size=8)
    np.testing.assert_array_equal(found(stream), X)
    assert [int(target) for _, target in ValidationSet.of(OPEN, stream)] == Y.tolist()


def test_a_sampler_that_never_ends():
    torch = pytest.importorskip("torch")

    class Forever:
        def __init__(self, sampler):
            self.sampler = sampler

        def __len__(self):
            return len(self.sampler)

        def __iter__(self):
            while True:
                yield from self.sampler

    sampler = torch.utils.data.BatchSampler(torch.utils.data.SequentialSampler(Lazy()), 8, drop_last=False)
    loader = torch.utils.data.DataLoader(Lazy(), batch_sampler=Forever(sampler))
    np.testing.assert_array_equal(found(loader), X)


def test_what_is_no_data():
    with pytest.raises(DataError, match="calibration data are a function: pass what it returns, an array"):
        as_inputs(OPEN, found)
